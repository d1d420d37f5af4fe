-- Who may see a photo, of those that may see its author's photos at all; and the close friends of users, in two rows as
-- mutes are. `outgoing` is true in the row of the user whose close friend the other is.
ALTER TABLE photos ADD COLUMN audience text NOT NULL DEFAULT 'public';
ALTER TABLE photos ADD CONSTRAINT photos_audience_check
    CHECK (audience IN ('public', 'followers', 'close_friends', 'only_me')) NOT VALID;

CREATE TABLE close_friends (
    shard           integer NOT NULL CHECK (shard = (owner_id & 1023)),
    owner_id        bigint NOT NULL,
    other_id        bigint NOT NULL,
    outgoing        boolean NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_id, shard, other_id, outgoing),
    FOREIGN KEY (owner_id, shard) REFERENCES users (id, shard),
    CHECK (owner_id <> other_id)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('close_friends', 'shard', colocate_with => 'users');
    END IF;
END $$;
