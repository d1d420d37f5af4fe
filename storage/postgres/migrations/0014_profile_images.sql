-- Avatars and banners. The row in state `ready` is the one that is shown; `users` repeats its hash, so that no list of
-- users needs another look-up. A row in another state is the newest upload, beside the image that is still shown.
CREATE TABLE profile_images (
    shard           integer NOT NULL,             -- of the user
    user_id         bigint NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('avatar', 'banner')),
    sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),  -- of the original
    content_type    text NOT NULL,
    bytes           bigint NOT NULL,
    state           text NOT NULL DEFAULT 'processing' CHECK (state IN ('processing', 'ready', 'rejected')),
    reason          text,                         -- of a rejection, for the user
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, kind, sha256, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);
CREATE INDEX profile_images_content ON profile_images (sha256);
CREATE INDEX profile_images_processing ON profile_images (created_at) WHERE state = 'processing';

ALTER TABLE users ADD COLUMN banner_sha256 text;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('profile_images', 'shard', colocate_with => 'users');
    END IF;
END $$;
