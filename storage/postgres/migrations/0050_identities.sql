-- Accounts at OpenID providers with which users can sign in: which account an identity belongs to, where every sign-in
-- looks it up, and the same in the shard of the account, which so knows its identities.
CREATE TABLE identities (
    issuer          text NOT NULL,
    subject         text NOT NULL,
    user_id         bigint NOT NULL,
    PRIMARY KEY (subject, issuer)
);
CREATE TABLE account_identities (
    shard           integer NOT NULL CHECK (shard = (user_id & 1023)),
    user_id         bigint NOT NULL,
    issuer          text NOT NULL,
    subject         text NOT NULL,
    email           text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_used_at    timestamptz,
    PRIMARY KEY (user_id, shard, issuer),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard)
);
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('identities', 'subject', colocate_with => 'none');
        PERFORM create_distributed_table('account_identities', 'shard', colocate_with => 'users');
    END IF;
END $$;
