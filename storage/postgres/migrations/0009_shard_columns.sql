-- Tables and columns for the distribution by shard, next to those that they replace. Migration 0010 fills them, and
-- 0011 puts them into use. `shard` is the low ten bits of the id of the user that a row belongs to, or of the photo that
-- it belongs to, which are those of the photo's author.
ALTER TABLE users ADD COLUMN shard integer;
ALTER TABLE sessions ADD COLUMN shard integer;
ALTER TABLE refresh_tokens ADD COLUMN shard integer;
ALTER TABLE follow_requests ADD COLUMN shard integer;
ALTER TABLE photos ADD COLUMN shard integer;
ALTER TABLE photo_tags ADD COLUMN shard integer;
ALTER TABLE photo_exif ADD COLUMN shard integer;
ALTER TABLE likes ADD COLUMN shard integer;
ALTER TABLE comments ADD COLUMN shard integer;
ALTER TABLE notifications ADD COLUMN shard integer;
ALTER TABLE notification_actors ADD COLUMN shard integer;
ALTER TABLE waiting_activities ADD COLUMN shard integer;
ALTER TABLE idempotency_keys ADD COLUMN shard integer;
ALTER TABLE outbox ADD COLUMN shard integer;
ALTER TABLE dead_letters ADD COLUMN shard integer;

-- The names of accounts that are not deleted, each once on all shards. Their rows are deleted with the account.
CREATE TABLE usernames (
    username        citext PRIMARY KEY,
    user_id         bigint NOT NULL
);
CREATE INDEX usernames_prefix ON usernames (lower(username::text) text_pattern_ops);
CREATE TABLE emails (
    email           citext PRIMARY KEY,
    user_id         bigint NOT NULL
);

-- A follow is two rows, one in the shard of each user, so that each side is read from one shard.
CREATE TABLE following (
    shard           integer NOT NULL CHECK (shard = (follower_id & 1023)),
    follower_id     bigint NOT NULL,
    followee_id     bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower_id, shard, followee_id),
    CHECK (follower_id <> followee_id)
);
CREATE TABLE followers (
    shard           integer NOT NULL CHECK (shard = (followee_id & 1023)),
    followee_id     bigint NOT NULL,
    follower_id     bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (followee_id, shard, follower_id),
    CHECK (follower_id <> followee_id)
);
-- Fan-out reads followers in the order of their shard.
CREATE INDEX followers_fanout ON followers (followee_id, shard, (follower_id & 1023), follower_id);

-- So are a block and a mute. `outgoing` is true in the row of the user that blocks or mutes the other.
CREATE TABLE block_sides (
    shard           integer NOT NULL CHECK (shard = (owner_id & 1023)),
    owner_id        bigint NOT NULL,
    other_id        bigint NOT NULL,
    outgoing        boolean NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_id, shard, other_id, outgoing),
    CHECK (owner_id <> other_id)
);
CREATE TABLE mute_sides (
    shard           integer NOT NULL CHECK (shard = (owner_id & 1023)),
    owner_id        bigint NOT NULL,
    other_id        bigint NOT NULL,
    outgoing        boolean NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_id, shard, other_id, outgoing),
    CHECK (owner_id <> other_id)
);

-- One row for each account, which is locked while its notifications are changed and the changes published.
CREATE TABLE inboxes (
    shard           integer NOT NULL CHECK (shard = (user_id & 1023)),
    user_id         bigint NOT NULL,
    PRIMARY KEY (user_id, shard)
);

-- Work that one process at a time does, while it has locked the row.
CREATE TABLE leases (
    name            text PRIMARY KEY
);
INSERT INTO leases (name) VALUES ('relay');
