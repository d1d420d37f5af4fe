-- Uploads that arrive before their photo is created: by one request to a signed URL, or by resumable requests (tus).
-- A resumable upload has one object in the blob store for each request, and `parts` names those that count, in order.
-- While a request appends, it holds the lease; a later request may take an expired one over, and then `lease` differs.
CREATE TABLE uploads (
    shard           integer NOT NULL,             -- of the user
    id              bigint NOT NULL,
    user_id         bigint NOT NULL,
    way             text NOT NULL CHECK (way IN ('signed', 'tus')),
    content_type    text,                         -- declared, and bound by the signature
    bytes           bigint NOT NULL CHECK (bytes >= 0),
    sha256          text CHECK (sha256 ~ '^[0-9a-f]{64}$'),  -- of the whole, as the client declared it
    received        bigint NOT NULL DEFAULT 0,
    received_sha256 text,                         -- of what arrived, if it arrived in one request
    parts           jsonb NOT NULL DEFAULT '[]',
    metadata        text NOT NULL DEFAULT '',     -- of tus, as the client sent it
    used_at         timestamptz,                  -- when its photo was created
    lease           bigint,
    lease_until     timestamptz,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023)),
    CHECK (received <= bytes)
);
CREATE INDEX uploads_of_user ON uploads (user_id, shard);
CREATE INDEX uploads_expiry ON uploads (expires_at);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('uploads', 'shard', colocate_with => 'users');
    END IF;
END $$;
