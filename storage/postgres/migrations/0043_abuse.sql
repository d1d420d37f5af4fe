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

-- Lists of the hashes of known images, which an operator loads. They are on one server: each upload asks for all of
-- them. `hash_bands` has the sixteen parts of each perceptual hash, by which near ones are found.
CREATE TABLE hash_lists (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    action          text NOT NULL CHECK (action IN ('case', 'hold', 'hide')),
    category        text NOT NULL,                -- of the cases, see `storage.reports`
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE hash_originals (
    sha256          text NOT NULL,
    list_id         integer NOT NULL REFERENCES hash_lists (id),
    PRIMARY KEY (sha256, list_id)
);
CREATE INDEX hash_originals_list ON hash_originals (list_id);

CREATE TABLE hash_images (
    pdq             bit(256) NOT NULL,
    list_id         integer NOT NULL REFERENCES hash_lists (id),
    PRIMARY KEY (pdq, list_id)
);
CREATE INDEX hash_images_list ON hash_images (list_id);

CREATE TABLE hash_bands (
    band            integer NOT NULL,
    pdq             bit(256) NOT NULL,
    list_id         integer NOT NULL,
    PRIMARY KEY (band, pdq, list_id)
);

-- What automatic rules have found about an account, and what followed from it. Rows are only added, and go with the
-- account or after some months. `key` names the occasion, so that an event that is handled twice is found once.
CREATE TABLE findings (
    shard           integer NOT NULL,             -- of the account
    id              bigint NOT NULL,
    account_id      bigint NOT NULL,
    kind            text NOT NULL,
    rule            text NOT NULL,                -- such as the name of a list
    key             text NOT NULL,
    subject_kind    text NOT NULL CHECK (subject_kind IN ('photo', 'comment', 'user')),
    subject_id      bigint NOT NULL,
    action          text NOT NULL CHECK (action IN ('case', 'hold', 'hide')),
    category        text NOT NULL,
    facts           jsonb NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, shard),
    UNIQUE (account_id, key, shard),
    FOREIGN KEY (account_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023) AND shard = (account_id & 1023))
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('media_hashes', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('findings', 'shard', colocate_with => 'users');
    END IF;
END $$;
