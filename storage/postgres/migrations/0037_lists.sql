-- Lists of accounts, whose photos their owner reads apart. All is in the shard of the owner, also of the members, whose
-- accounts are in shards of their own.
CREATE TABLE lists (
    shard           integer NOT NULL,             -- of the owner
    id              bigint NOT NULL,
    owner_id        bigint NOT NULL,
    title           text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, shard),
    FOREIGN KEY (owner_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX lists_owner ON lists (owner_id, id);

CREATE TABLE list_members (
    shard           integer NOT NULL,             -- of the owner
    list_id         bigint NOT NULL,
    account_id      bigint NOT NULL,
    owner_id        bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (list_id, shard, account_id),
    FOREIGN KEY (list_id, shard) REFERENCES lists (id, shard) ON DELETE CASCADE,
    CHECK (shard = (list_id & 1023)),
    CHECK (owner_id <> account_id)
);
CREATE INDEX list_members_owner ON list_members (owner_id, account_id);
CREATE INDEX list_members_account ON list_members (account_id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('lists', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('list_members', 'shard', colocate_with => 'users');
    END IF;
END $$;
