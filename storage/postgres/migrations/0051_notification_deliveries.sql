-- What users choose about their notifications, and the deliveries that lead out of the application: pushes, mails and
-- digests. All is in the shard of the user. Only choices that deviate from the defaults are rows.
CREATE TABLE notification_preferences (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    kind            text NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('inbox', 'live', 'push', 'email')),
    audience        text NOT NULL CHECK (audience IN ('everyone', 'following', 'nobody')),
    PRIMARY KEY (user_id, kind, channel, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);

CREATE TABLE notification_schedules (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    zone            text NOT NULL DEFAULT 'UTC',  -- the IANA name of the user's time zone
    quiet_begin     integer CHECK (quiet_begin BETWEEN 0 AND 1439),  -- minutes since midnight; NULL: no quiet hours
    quiet_end       integer CHECK (quiet_end BETWEEN 0 AND 1439),
    quiet_days      jsonb NOT NULL DEFAULT '[]',  -- on which they begin
    digest          text NOT NULL DEFAULT 'off' CHECK (digest IN ('off', 'daily', 'weekly')),
    PRIMARY KEY (user_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK ((quiet_begin IS NULL) = (quiet_end IS NULL)),
    CHECK (shard = (user_id & 1023))
);

-- Photos, and comments with the replies to them, about which a user gets no notifications.
CREATE TABLE muted_subjects (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    subject_id      bigint NOT NULL,              -- the photo, or the comment at the top of its thread
    photo_id        bigint NOT NULL,              -- the photo itself, or the one below which the comment is
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, subject_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);

-- Users with deliveries. Each is a turn of one worker at a time; see `storage.stores.delivery_claims`.
CREATE TABLE delivery_queues (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    due_at          timestamptz,                  -- when a worker looks at the deliveries next
    leased_until    timestamptz,                  -- a worker has them
    PRIMARY KEY (user_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);
CREATE INDEX delivery_queues_due ON delivery_queues (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE deliveries (
    shard           integer NOT NULL,             -- of the user
    id              bigint NOT NULL,
    user_id         bigint NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('push', 'email', 'digest')),
    notification_id bigint NOT NULL,              -- of a digest, the user
    kind            text NOT NULL,
    group_key       text NOT NULL,                -- the same for notifications about the same
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dropped', 'failed')),
    due_at          timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    last_error      text,                         -- also why it was dropped
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (notification_id, channel, shard) WHERE state = 'waiting';
CREATE INDEX deliveries_waiting ON deliveries (user_id, due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_sent ON deliveries (user_id, channel, finished_at) WHERE state = 'sent';
CREATE INDEX deliveries_finished ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_user ON deliveries (user_id, notification_id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('notification_preferences', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('notification_schedules', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('muted_subjects', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('delivery_queues', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('deliveries', 'shard', colocate_with => 'users');
    END IF;
END $$;
