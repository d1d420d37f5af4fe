-- When the user has proven that the account's address is theirs. NULL for accounts of earlier versions, too.
ALTER TABLE users ADD COLUMN email_verified_at timestamptz;

-- Addresses that accounts have given and not verified. Several accounts may give the same; the one that verifies it gets
-- it in `emails`. Accounts of earlier versions are in `emails` since their registration.
CREATE TABLE pending_emails (
    email           citext NOT NULL,
    user_id         bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (email, user_id)
);

-- Tokens of mails, each of which can be used once. Only the SHA-256 is stored. In the shard of the user.
CREATE TABLE one_time_tokens (
    shard           integer NOT NULL,
    sha256          bytea NOT NULL,
    user_id         bigint NOT NULL,
    purpose         text NOT NULL,
    payload         jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    PRIMARY KEY (sha256, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id, purpose);
CREATE INDEX one_time_tokens_expired ON one_time_tokens (expires_at);

-- Changes of an address that wait for confirmations, at most one of each account.
CREATE TABLE email_changes (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    id              bigint NOT NULL,
    email           text NOT NULL,                -- the new one
    from_email      text,                         -- the present one if it has to confirm as well
    old_confirmed_at timestamptz,
    new_confirmed_at timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (user_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);
CREATE INDEX email_changes_expired ON email_changes (expires_at);

-- Kinds of mails that users have unsubscribed from by the link in one.
CREATE TABLE mail_opt_outs (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    list            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, list, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('pending_emails', 'email', colocate_with => 'emails');
        PERFORM create_distributed_table('one_time_tokens', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('email_changes', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('mail_opt_outs', 'shard', colocate_with => 'users');
    END IF;
END $$;
