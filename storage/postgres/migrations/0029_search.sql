-- What users search in: tables of their own with short rows. Counters change `users` and `photos` with every follow and
-- like, and would change indexes of names and words, too. They are filled by the janitor, which makes the forms of the
-- texts (storage/search_text.py) for rows of before, and for those of processes of the version before.
ALTER TABLE users ADD COLUMN searchable boolean NOT NULL DEFAULT true;

CREATE TABLE user_search (
    shard           integer NOT NULL,
    user_id         bigint NOT NULL,
    name            text NOT NULL,                -- the username in lower case
    display         text NOT NULL,                -- the form of the display name for the search
    fame            smallint NOT NULL DEFAULT 0,  -- the integer part of log2(followers + 1), which changes rarely
    PRIMARY KEY (user_id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard) ON DELETE CASCADE,
    CHECK (shard = (user_id & 1023))
);
-- One to three letters are so frequent that the best of the names with them are read in their order.
CREATE INDEX user_search_name_1 ON user_search (left(name, 1), fame DESC, user_id DESC);
CREATE INDEX user_search_name_2 ON user_search (left(name, 2), fame DESC, user_id DESC);
CREATE INDEX user_search_name_3 ON user_search (left(name, 3), fame DESC, user_id DESC);
CREATE INDEX user_search_display_1 ON user_search (left(display, 1), fame DESC, user_id DESC);
CREATE INDEX user_search_display_2 ON user_search (left(display, 2), fame DESC, user_id DESC);
CREATE INDEX user_search_display_3 ON user_search (left(display, 3), fame DESC, user_id DESC);

CREATE TABLE photo_text (
    shard           integer NOT NULL,
    photo_id        bigint NOT NULL,
    words           tsvector NOT NULL,            -- of the caption, the tags and the location
    PRIMARY KEY (photo_id, shard),
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard) ON DELETE CASCADE,
    CHECK (shard = (photo_id & 1023))
);
CREATE INDEX photo_text_words ON photo_text USING gin (words);

CREATE TABLE tags (
    tag             text PRIMARY KEY,
    key             text NOT NULL,                -- the form of the tag for the search
    photos          integer NOT NULL,             -- that everyone may see
    counted_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tags_key ON tags (key text_pattern_ops);

-- Tags whose photos have to be counted again, in the shard of the photo that has changed.
CREATE TABLE tag_recounts (
    shard           integer NOT NULL,
    tag             text NOT NULL,
    marked_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tag, shard)
);

-- How far the janitor has filled the tables: all ids up to and including `position` are done.
CREATE TABLE search_progress (
    name            text PRIMARY KEY,
    position        bigint NOT NULL
);
INSERT INTO search_progress (name, position) VALUES ('users', 0), ('photos', 0);

-- Parts of words and misspelt ones are found by trigrams. Without the extension the beginnings of names are.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX user_search_parts
        ON user_search USING gin ((' ' || translate(name, '_.', '  ') || ' ' || display) gin_trgm_ops);
    CREATE INDEX tags_parts ON tags USING gin ((' ' || key) gin_trgm_ops);
EXCEPTION
    WHEN undefined_file OR feature_not_supported OR insufficient_privilege OR undefined_object THEN
        RAISE WARNING 'the search finds the beginnings of names only: %', SQLERRM;
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('user_search', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('photo_text', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('tag_recounts', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('tags', 'tag', colocate_with => 'none');
    END IF;
END $$;
