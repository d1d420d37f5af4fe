-- The pictures of posts that have several. The photo is the post, and its own columns repeat the first picture, so that
-- whatever needs one picture reads the photo alone; a photo with one picture has no rows here.
CREATE TABLE photo_items (
    shard           integer NOT NULL,             -- of the photo
    photo_id        bigint NOT NULL,
    sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),  -- of the original
    position        smallint NOT NULL CHECK (position BETWEEN 0 AND 9),
    content_type    text NOT NULL,
    bytes           bigint NOT NULL,
    width           integer NOT NULL CHECK (width > 0),
    height          integer NOT NULL CHECK (height > 0),
    placeholder     text,
    alt_text        text NOT NULL DEFAULT '',
    exif            jsonb,                        -- for the author alone
    PRIMARY KEY (photo_id, sha256, shard),
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard) ON DELETE CASCADE,
    CHECK (shard = (photo_id & 1023))
);
CREATE INDEX photo_items_content ON photo_items (sha256);

ALTER TABLE photos ADD COLUMN pictures smallint NOT NULL DEFAULT 1;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('photo_items', 'shard', colocate_with => 'users');
    END IF;
END $$;
