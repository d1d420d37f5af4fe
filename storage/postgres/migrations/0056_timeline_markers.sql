-- How far a user has read a timeline, as apps with Mastodon's interface keep it, in the shard of the user.
CREATE TABLE timeline_markers (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    timeline        text NOT NULL CHECK (timeline IN ('home', 'notifications')),
    last_read       text NOT NULL CHECK (length(last_read) <= 30),
    version         integer NOT NULL DEFAULT 1,   -- grows with each change
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, timeline, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('timeline_markers', 'shard', colocate_with => 'users');
    END IF;
END $$;
