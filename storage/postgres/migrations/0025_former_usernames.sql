-- A username that its account has given up leads to the account until `kept_until`, and cannot be taken until then.
-- NULL for the present name of an account.
ALTER TABLE usernames ADD COLUMN kept_until timestamptz;
CREATE TABLE former_usernames (
    shard           integer NOT NULL CHECK (shard = (user_id & 1023)),
    user_id         bigint NOT NULL,
    username        citext NOT NULL,
    kept_until      timestamptz NOT NULL,
    PRIMARY KEY (user_id, shard, username),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard)
);
CREATE INDEX former_usernames_expired ON former_usernames (kept_until);
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('former_usernames', 'shard', colocate_with => 'users');
    END IF;
END $$;
