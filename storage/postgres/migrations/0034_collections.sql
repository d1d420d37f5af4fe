-- Photos that users keep: lists with a title, and one without, to which photos are saved. All is in the shard of the
-- owner, also of the items, whose photos are in the shards of their authors.
CREATE TABLE collections (
    shard           integer NOT NULL,             -- of the owner
    id              bigint NOT NULL,
    owner_id        bigint NOT NULL,
    title           text NOT NULL,
    public          boolean NOT NULL DEFAULT false,
    saved           boolean NOT NULL DEFAULT false,  -- the one without a title
    size            integer NOT NULL DEFAULT 0,
    last_position   bigint NOT NULL DEFAULT 0,    -- that was given to an item
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, shard),
    FOREIGN KEY (owner_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023)),
    CHECK (NOT (saved AND public))
);
CREATE INDEX collections_owner ON collections (owner_id, id);
CREATE UNIQUE INDEX collections_saved ON collections (owner_id, shard) WHERE saved;

CREATE TABLE collection_items (
    shard           integer NOT NULL,             -- of the owner
    collection_id   bigint NOT NULL,
    photo_id        bigint NOT NULL,
    owner_id        bigint NOT NULL,
    position        bigint NOT NULL,              -- the greatest is the first
    PRIMARY KEY (collection_id, photo_id, shard),
    FOREIGN KEY (collection_id, shard) REFERENCES collections (id, shard) ON DELETE CASCADE,
    CHECK (shard = (collection_id & 1023))
);
CREATE INDEX collection_items_order ON collection_items (collection_id, position);
CREATE INDEX collection_items_photo ON collection_items (photo_id);
CREATE INDEX collection_items_owner ON collection_items (owner_id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('collections', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('collection_items', 'shard', colocate_with => 'users');
    END IF;
END $$;
