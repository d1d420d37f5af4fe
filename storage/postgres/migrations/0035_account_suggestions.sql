-- Accounts that a user might want to follow, made at most once a day, and those of them that the user does not want.
-- `accounts` has [id, reason, number] of each, see `storage.stores.account_suggestions`.
CREATE TABLE account_suggestions (
    shard           integer NOT NULL CHECK (shard = (user_id & 1023)),
    user_id         bigint NOT NULL,
    accounts        jsonb NOT NULL DEFAULT '[]',
    wanted_at       timestamptz NOT NULL,
    made_at         timestamptz,
    PRIMARY KEY (user_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard)
);

CREATE TABLE dismissed_suggestions (
    shard           integer NOT NULL CHECK (shard = (user_id & 1023)),
    user_id         bigint NOT NULL,
    account_id      bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, shard, account_id),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('account_suggestions', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('dismissed_suggestions', 'shard', colocate_with => 'users');
    END IF;
END $$;
