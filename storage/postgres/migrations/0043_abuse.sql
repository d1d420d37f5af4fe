-- The hashes of the pictures of photos, by which known ones are found again; see `storage.perceptual_hashes`.
CREATE TABLE media_hashes (
    shard           integer NOT NULL,             -- of the author
    photo_id        bigint NOT NULL,
    sha256          text NOT NULL,                -- of the original
    pdq             bit(256) NOT NULL,
    quality         smallint NOT NULL CHECK (quality BETWEEN 0 AND 100),
    PRIMARY KEY (photo_id, sha256, shard),
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard),
    CHECK (shard = (photo_id & 1023))
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('media_hashes', 'shard', colocate_with => 'users');
    END IF;
END $$;
