-- Exports of accounts: one row for each that was requested, in the shard of its user. The archive of a ready one is in
-- the blob store, under a key made from the id, until `expires_at`.
CREATE TABLE exports (
    shard           integer NOT NULL,             -- of the user
    id              bigint NOT NULL,
    user_id         bigint NOT NULL,
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'ready', 'failed', 'expired')),
    bytes           bigint,                       -- of the archive
    photos          integer,                      -- in it
    error           text,                         -- why it has failed, for the user
    created_at      timestamptz NOT NULL DEFAULT now(),
    ready_at        timestamptz,
    expires_at      timestamptz,
    PRIMARY KEY (id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX exports_user ON exports (user_id, id);
CREATE INDEX exports_expiry ON exports (expires_at) WHERE state = 'ready';
CREATE INDEX exports_unfinished ON exports (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX exports_ended ON exports (created_at) WHERE state IN ('failed', 'expired');

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('exports', 'shard', colocate_with => 'users');
    END IF;
END $$;
