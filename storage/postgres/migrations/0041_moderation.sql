-- Decisions about photos: one row for each source of decisions, such as the moderators or the endpoint of a service. The
-- one that applies is repeated in `photos.moderation`, so that it is read with the photo; see
-- `storage.stores.photo_moderation`.
ALTER TABLE photos ADD COLUMN moderation jsonb;
-- Whether messages to an endpoint have what a service decides by, and a token with which it decides.
ALTER TABLE webhook_endpoints ADD COLUMN moderation boolean NOT NULL DEFAULT false;

CREATE TABLE photo_moderation (
    shard           integer NOT NULL,             -- of the author
    photo_id        bigint NOT NULL,
    decided_by      text NOT NULL CHECK (decided_by IN ('moderator', 'service', 'automatic')),
    source          text NOT NULL,                -- the id of a service's endpoint, or the name of an automatic rule
    author_id       bigint NOT NULL,
    action          text NOT NULL CHECK (action IN ('allow', 'sensitive', 'hold', 'hide')),
    reason          text NOT NULL,                -- for the author
    rule            text NOT NULL,                -- the rule of the service that was broken
    labels          jsonb NOT NULL DEFAULT '{}',
    decided_at      timestamptz NOT NULL DEFAULT now(),
    until           timestamptz,                  -- the end of a hold
    version         bigint NOT NULL DEFAULT 1,    -- grows when the source decides again
    PRIMARY KEY (photo_id, decided_by, source, shard),
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard),
    CHECK (shard = (photo_id & 1023)),
    CHECK ((action = 'hold') = (until IS NOT NULL))
);
CREATE INDEX photo_moderation_author ON photo_moderation (author_id);
CREATE INDEX photo_moderation_held ON photo_moderation (until) WHERE action = 'hold';

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('photo_moderation', 'shard', colocate_with => 'users');
    END IF;
END $$;
