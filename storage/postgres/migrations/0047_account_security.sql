-- What a session's user sees of it: the client that opened or refreshed it last, and when that was. The network is that of
-- its address, shortened. `authenticated_at` is when the user last proved their identity in it, by the password, a code or
-- a passkey; sessions of the version before have none, and ask again before dangerous steps.
ALTER TABLE sessions ADD COLUMN user_agent text;
ALTER TABLE sessions ADD COLUMN network text;
ALTER TABLE sessions ADD COLUMN last_seen_at timestamptz;
ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz;

-- One-time codes by time (RFC 6238). The secret is encrypted. A code of `last_step` or before is not accepted again. Until
-- `confirmed_at` the factor is being set up, and sign-ins do not ask for it.
CREATE TABLE totp (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    secret          bytea NOT NULL,
    last_step       bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    confirmed_at    timestamptz,
    PRIMARY KEY (user_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);

-- Each replaces a one-time code once.
CREATE TABLE recovery_codes (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    code_sha256     bytea NOT NULL,
    used_at         timestamptz,
    PRIMARY KEY (user_id, code_sha256, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);

CREATE TABLE passkeys (
    shard           integer NOT NULL,             -- of the user
    id              bigint NOT NULL,
    user_id         bigint NOT NULL,
    credential_id   bytea NOT NULL,
    public_key      bytea NOT NULL,               -- as COSE (RFC 9052)
    sign_count      bigint NOT NULL,
    transports      text[] NOT NULL,
    name            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_used_at    timestamptz,
    PRIMARY KEY (id, shard),
    UNIQUE (user_id, credential_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023))
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('totp', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('recovery_codes', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('passkeys', 'shard', colocate_with => 'users');
    END IF;
END $$;
