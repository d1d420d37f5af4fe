-- What the blob store holds: one row for each distinct original, written before its blob and deleted after it. Blobs
-- are written and deleted outside transactions; the state and the leases keep uploads and removals apart.
CREATE TABLE contents (
    sha256          text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size            bigint NOT NULL,              -- bytes of the original
    content_type    text NOT NULL,
    state           text NOT NULL DEFAULT 'storing' CHECK (state IN ('storing', 'stored', 'deleting')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    deleting_since  timestamptz,                  -- names the removal in progress, so that only it deletes the row
    CHECK ((state = 'deleting') = (deleting_since IS NOT NULL))
);
CREATE INDEX contents_deleting ON contents (deleting_since) WHERE state = 'deleting';

-- While a lease lasts, the content is not removed. Its holder deletes it in the transaction that creates the photo;
-- the lease of a crashed holder expires, and the janitor then removes the content unless a photo uses it.
CREATE TABLE content_leases (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256          text NOT NULL REFERENCES contents ON DELETE CASCADE,
    expires_at      timestamptz NOT NULL
);
CREATE INDEX content_leases_content ON content_leases (sha256);
CREATE INDEX content_leases_expiry ON content_leases (expires_at);

-- The blobs of photos deleted earlier may still be there, if the event of the deletion has not been handled yet. As
-- contents being deleted they are removed by the janitor, for which a missing blob is no error.
INSERT INTO contents (sha256, size, content_type, state, deleting_since)
SELECT sha256, max(bytes), max(content_type),
    CASE WHEN bool_or(deleted_at IS NULL) THEN 'stored' ELSE 'deleting' END,
    CASE WHEN bool_or(deleted_at IS NULL) THEN NULL ELSE now() END
FROM photos GROUP BY sha256;
