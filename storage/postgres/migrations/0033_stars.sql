-- Authors with so many followers that their photos are pulled into the feeds, instead of inserted into each.
CREATE TABLE stars (
    shard       integer NOT NULL,      -- of the author
    author_id   bigint NOT NULL,
    state       text NOT NULL CHECK (state IN ('promoting', 'star', 'demoting')),
    change_id   bigint NOT NULL,       -- of the promotion or demotion; carries its time
    since_id    bigint,                -- photos with ids from here on are pulled; NULL until the promotion is complete
    PRIMARY KEY (author_id, shard),
    FOREIGN KEY (author_id, shard) REFERENCES users (id, shard) ON DELETE CASCADE,
    CHECK (shard = (author_id & 1023)),
    CHECK (state = 'promoting' OR since_id IS NOT NULL)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('stars', 'shard', colocate_with => 'users');
    END IF;
END $$;
