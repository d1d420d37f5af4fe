-- The first schema. Every table that hangs on a user or a user's photo carries ids with that owner's
-- shard in the low ten bits, so that a later distribution by shard moves rows and changes no column.

CREATE EXTENSION IF NOT EXISTS citext;

CREATE TABLE users (
    id              bigint PRIMARY KEY,
    username        citext NOT NULL,
    email           citext NOT NULL,
    password_hash   text NOT NULL,
    display_name    text NOT NULL,
    bio             text NOT NULL DEFAULT '',
    role            text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'moderator', 'admin')),
    private         boolean NOT NULL DEFAULT false,
    avatar_sha256   text,
    settings        jsonb NOT NULL DEFAULT '{}',
    followers       integer NOT NULL DEFAULT 0,
    following       integer NOT NULL DEFAULT 0,
    photos          integer NOT NULL DEFAULT 0,
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz,
    erased_at       timestamptz                   -- set when nothing hangs on a deleted account any more
);
-- Partial, so that a deleted account frees its names, and so that its deletion does not change a key
-- that foreign keys could point at: it need not wait for those who like and comment at that moment.
CREATE UNIQUE INDEX users_username_key ON users (username) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_email_key ON users (email) WHERE deleted_at IS NULL;
CREATE INDEX users_username_prefix ON users (lower(username::text) text_pattern_ops) WHERE deleted_at IS NULL;
CREATE INDEX users_to_erase ON users (deleted_at) WHERE deleted_at IS NOT NULL AND erased_at IS NULL;

CREATE TABLE sessions (
    id              uuid PRIMARY KEY,             -- the family of refresh tokens; `sid` in the access token
    user_id         bigint NOT NULL REFERENCES users,
    created_at      timestamptz NOT NULL DEFAULT now(),
    revoked_at      timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
    token_sha256    bytea PRIMARY KEY,
    session_id      uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE follows (
    follower_id     bigint NOT NULL REFERENCES users,
    followee_id     bigint NOT NULL REFERENCES users,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower_id, followee_id),
    CHECK (follower_id <> followee_id)
);
-- Fan-out reads followers in the order of their shard.
CREATE INDEX follows_fanout ON follows (followee_id, (follower_id & 1023), follower_id);
-- People read them by id, newest accounts first.
CREATE INDEX follows_followers ON follows (followee_id, follower_id DESC);

CREATE TABLE follow_requests (
    follower_id     bigint NOT NULL REFERENCES users,
    followee_id     bigint NOT NULL REFERENCES users,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (followee_id, follower_id)
);
CREATE INDEX follow_requests_follower ON follow_requests (follower_id);

CREATE TABLE blocks (
    blocker_id      bigint NOT NULL REFERENCES users,
    blocked_id      bigint NOT NULL REFERENCES users,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (blocker_id, blocked_id),
    CHECK (blocker_id <> blocked_id)
);
CREATE INDEX blocks_blocked ON blocks (blocked_id, blocker_id);

CREATE TABLE mutes (
    muter_id        bigint NOT NULL REFERENCES users,
    muted_id        bigint NOT NULL REFERENCES users,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (muter_id, muted_id),
    CHECK (muter_id <> muted_id)
);
CREATE INDEX mutes_muted ON mutes (muted_id, muter_id);

CREATE TABLE photos (
    id              bigint PRIMARY KEY,
    author_id       bigint NOT NULL REFERENCES users,
    state           text NOT NULL DEFAULT 'processing' CHECK (state IN ('processing', 'ready', 'rejected', 'hidden')),
    reason          text,
    sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    content_type    text NOT NULL,
    bytes           bigint NOT NULL,
    width           integer NOT NULL,
    height          integer NOT NULL,
    placeholder     text,
    caption         text NOT NULL DEFAULT '',
    alt_text        text NOT NULL DEFAULT '',
    tags            jsonb NOT NULL DEFAULT '[]',
    location        text,
    likes           integer NOT NULL DEFAULT 0,
    comments        integer NOT NULL DEFAULT 0,
    version         bigint NOT NULL DEFAULT 0,    -- grows with every change of a counter
    created_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz
);
-- With the state inside, a home feed reads each author's newest ready ids from the index alone.
CREATE INDEX photos_by_author ON photos (author_id, id DESC) INCLUDE (state) WHERE deleted_at IS NULL;
CREATE INDEX photos_newest ON photos (id DESC) WHERE state = 'ready' AND deleted_at IS NULL;
-- The few that wait for their variants, so that those that wait too long are found without reading the rest.
CREATE INDEX photos_processing ON photos (created_at) WHERE state = 'processing' AND deleted_at IS NULL;
CREATE INDEX photos_by_content ON photos (sha256) WHERE deleted_at IS NULL;

CREATE TABLE photo_tags (
    tag             text NOT NULL,
    photo_id        bigint NOT NULL REFERENCES photos,
    PRIMARY KEY (tag, photo_id)
);
CREATE INDEX photo_tags_photo ON photo_tags (photo_id);

CREATE TABLE photo_exif (
    photo_id        bigint PRIMARY KEY REFERENCES photos,
    exif            jsonb NOT NULL
);

CREATE TABLE likes (
    photo_id        bigint NOT NULL REFERENCES photos,
    user_id         bigint NOT NULL REFERENCES users,
    version         bigint NOT NULL,              -- the photo's version that this like made
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (photo_id, user_id)
);
CREATE INDEX likes_by_user ON likes (user_id, created_at DESC);
CREATE INDEX likes_newest ON likes (photo_id, version DESC);

CREATE TABLE comments (
    id              bigint PRIMARY KEY,
    photo_id        bigint NOT NULL REFERENCES photos,
    author_id       bigint NOT NULL REFERENCES users,
    author_username text NOT NULL,                -- denormalised: a page of comments joins nothing
    author_name     text NOT NULL,
    author_avatar   text,
    text            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz
);
CREATE INDEX comments_of_photo ON comments (photo_id, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX comments_by_author ON comments (author_id);

-- One row per group: all likes of one photo gather in one unread notification.
CREATE TABLE notifications (
    id              bigint PRIMARY KEY,
    user_id         bigint NOT NULL REFERENCES users,
    kind            text NOT NULL,
    photo_id        bigint,
    position        bigint NOT NULL,              -- a fresh id with each new act: the order of the inbox
    people          integer NOT NULL DEFAULT 0,   -- distinct actors
    version         bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    seen_at         timestamptz,
    read_at         timestamptz,
    deleted_at      timestamptz
);
CREATE INDEX notifications_inbox ON notifications (user_id, position DESC) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX notifications_open_group ON notifications (user_id, kind, (coalesce(photo_id, 0)))
    WHERE read_at IS NULL AND deleted_at IS NULL;
CREATE INDEX notifications_photo ON notifications (photo_id) WHERE photo_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX notifications_unread ON notifications (user_id) INCLUDE (seen_at)
    WHERE read_at IS NULL AND deleted_at IS NULL;

CREATE TABLE notification_actors (
    notification_id bigint NOT NULL REFERENCES notifications ON DELETE CASCADE,
    actor_id        bigint NOT NULL REFERENCES users,
    source_id       bigint NOT NULL,              -- the photo, comment or user that the act was about
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (notification_id, actor_id, source_id)
);
-- Whether an act is noted already is asked before it is noted, however full the inbox is.
CREATE INDEX notification_actors_act ON notification_actors (actor_id, source_id);

CREATE TABLE idempotency_keys (
    user_id         bigint NOT NULL REFERENCES users,
    key             text NOT NULL,
    fingerprint     text NOT NULL,
    status          integer NOT NULL,
    response        bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Events that are committed and not yet handed on. `queue` is the consumer: with RabbitMQ always
-- 'relay', which publishes and removes; embedded, one row for each queue that wants the topic.
CREATE TABLE outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue           text NOT NULL,
    event_id        uuid NOT NULL,
    topic           text NOT NULL,
    key             text NOT NULL,
    body            bytea NOT NULL,
    headers         jsonb NOT NULL DEFAULT '{}',  -- request_id, traceparent
    attempts        integer NOT NULL DEFAULT 0,
    last_error      text,
    available_at    timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_due ON outbox (queue, available_at, id);

-- Events that the embedded broker gave up on; RabbitMQ keeps its own dead-letter queues.
CREATE TABLE dead_letters (
    id              bigint PRIMARY KEY,
    queue           text NOT NULL,
    event_id        uuid NOT NULL,
    topic           text NOT NULL,
    key             text NOT NULL,
    body            bytea NOT NULL,
    headers         jsonb NOT NULL DEFAULT '{}',
    attempts        integer NOT NULL,
    last_error      text NOT NULL,
    created_at      timestamptz NOT NULL,
    died_at         timestamptz NOT NULL DEFAULT now()
);
