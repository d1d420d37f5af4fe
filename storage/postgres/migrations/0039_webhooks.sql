-- Webhooks: the endpoints of subscribers, one delivery for each event and endpoint, and the attempts at deliveries. All
-- is in the shard of the endpoint's owner. `due_at` of an endpoint is the next moment at which a worker looks at its
-- deliveries; see `storage.stores.webhook_claims`.
CREATE TABLE webhook_endpoints (
    shard           integer NOT NULL,             -- of the owner
    id              bigint NOT NULL,
    owner_id        bigint NOT NULL,
    url             text NOT NULL,
    description     text NOT NULL DEFAULT '',
    types           jsonb NOT NULL DEFAULT '[]',  -- of the events; empty for all
    scope           text NOT NULL DEFAULT 'own' CHECK (scope IN ('own', 'all')),
    ordered         boolean NOT NULL DEFAULT false,
    state           text NOT NULL CHECK (state IN ('unverified', 'active', 'paused', 'disabled', 'deleted')),
    reason          text,                         -- why it is disabled
    secret          text NOT NULL,
    previous_secret text,                         -- signs, too, until
    previous_until  timestamptz,
    failures        integer NOT NULL DEFAULT 0,   -- in a row
    failing_since   timestamptz,                  -- the first of them
    warned_at       timestamptz,                  -- when the owner was warned of them
    circuit_until   timestamptz,
    due_at          timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, shard),
    FOREIGN KEY (owner_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX webhook_endpoints_owner ON webhook_endpoints (owner_id, id);
CREATE INDEX webhook_endpoints_all ON webhook_endpoints (id) WHERE scope = 'all';
CREATE INDEX webhook_endpoints_due ON webhook_endpoints ((failures >= 10), due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_endpoints_deleted ON webhook_endpoints (id) WHERE state = 'deleted';

CREATE TABLE webhook_deliveries (
    shard           integer NOT NULL,             -- of the endpoint's owner
    endpoint_id     bigint NOT NULL,
    event_id        uuid NOT NULL,
    owner_id        bigint NOT NULL,
    type            text NOT NULL,
    subject_id      bigint NOT NULL,
    event           jsonb,                        -- what the body is built from; NULL once that is not possible any more
    occurred_at     timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed', 'void')),
    attempts        integer NOT NULL DEFAULT 0,
    next_at         timestamptz NOT NULL,         -- of a waiting one; while it is leased, the end of the lease
    leased_until    timestamptz,
    finished_at     timestamptz,
    PRIMARY KEY (endpoint_id, event_id, shard),
    FOREIGN KEY (endpoint_id, shard) REFERENCES webhook_endpoints (id, shard),
    CHECK (shard = (endpoint_id & 1023))
);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (endpoint_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint_id) WHERE leased_until IS NOT NULL;
CREATE INDEX webhook_deliveries_subject ON webhook_deliveries (endpoint_id, subject_id, occurred_at)
    WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_replay ON webhook_deliveries (endpoint_id, occurred_at, event_id);
CREATE INDEX webhook_deliveries_kept ON webhook_deliveries (finished_at)
    WHERE event IS NOT NULL AND state IN ('done', 'void');
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX webhook_deliveries_owner ON webhook_deliveries (owner_id);

CREATE TABLE webhook_attempts (
    shard           integer NOT NULL,             -- of the endpoint's owner
    id              bigint NOT NULL,
    endpoint_id     bigint NOT NULL,
    event_id        uuid NOT NULL,
    owner_id        bigint NOT NULL,
    type            text NOT NULL,
    number          integer NOT NULL,             -- of the attempts at this delivery, from 1
    outcome         text NOT NULL,
    status          integer,                      -- of the response, if there was one
    error           text,
    milliseconds    integer NOT NULL,
    request_headers jsonb NOT NULL,
    response        text NOT NULL,                -- the beginning of its body
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, shard),
    FOREIGN KEY (endpoint_id, shard) REFERENCES webhook_endpoints (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX webhook_attempts_endpoint ON webhook_attempts (endpoint_id, id);
CREATE INDEX webhook_attempts_owner ON webhook_attempts (owner_id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('webhook_endpoints', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('webhook_deliveries', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('webhook_attempts', 'shard', colocate_with => 'users');
    END IF;
END $$;
