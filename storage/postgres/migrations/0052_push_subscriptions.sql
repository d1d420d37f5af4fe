-- Push subscriptions: the browsers that get notifications while no page is open, in the shard of their user. An endpoint
-- is long, so its hash is the key; it belongs to one account on all shards (`storage.stores.push_subscriptions`).
CREATE TABLE push_subscriptions (
    shard           integer NOT NULL,             -- of the user
    id              bigint NOT NULL,
    user_id         bigint NOT NULL,
    session_id      uuid NOT NULL,                -- in which the browser has subscribed
    endpoint        text NOT NULL,
    endpoint_sha256 bytea NOT NULL,
    p256dh          bytea NOT NULL CHECK (length(p256dh) = 65),
    auth            bytea NOT NULL CHECK (length(auth) = 16),
    hide_content    boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_ok         timestamptz,                  -- known to a day
    failures        integer NOT NULL DEFAULT 0,   -- refused messages since then
    PRIMARY KEY (id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    FOREIGN KEY (session_id, shard) REFERENCES sessions (id, shard) ON DELETE CASCADE,
    CHECK (shard = (id & 1023))
);
CREATE UNIQUE INDEX push_subscriptions_endpoint ON push_subscriptions (endpoint_sha256, shard);
CREATE INDEX push_subscriptions_user ON push_subscriptions (user_id, id);
CREATE INDEX push_subscriptions_session ON push_subscriptions (session_id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('push_subscriptions', 'shard', colocate_with => 'users');
    END IF;
END $$;
