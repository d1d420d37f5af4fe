-- The tags that users follow. Photos with them are read from `photo_tags`, so a follow is one row.
CREATE TABLE tag_follows (
    shard           integer NOT NULL CHECK (shard = (user_id & 1023)),
    user_id         bigint NOT NULL,
    tag             text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, shard, tag),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('tag_follows', 'shard', colocate_with => 'users');
    END IF;
END $$;
