-- Imports of archives: one row for each that was requested, and one for each photo that its archive describes, in the
-- shard of the user. The archive is an upload, which is kept until the import has ended.
CREATE TABLE imports (
    shard           integer NOT NULL,             -- of the user
    id              bigint NOT NULL,
    user_id         bigint NOT NULL,
    upload_id       bigint NOT NULL,
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    source          text CHECK (source IN ('picshare', 'instagram')),
    audience        text,                         -- of all photos; NULL: as the archive says
    bytes           bigint NOT NULL,              -- of the archive
    items           integer,                      -- in it, once that is known
    imported        integer NOT NULL DEFAULT 0,
    skipped         integer NOT NULL DEFAULT 0,
    failed          integer NOT NULL DEFAULT 0,
    error           text,                         -- why it has failed, for the user
    created_at      timestamptz NOT NULL DEFAULT now(),
    active_at       timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (id, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX imports_user ON imports (user_id, id);
CREATE INDEX imports_unfinished ON imports (active_at) WHERE state IN ('queued', 'running');
CREATE INDEX imports_ended ON imports (finished_at) WHERE state IN ('done', 'failed');

CREATE TABLE import_items (
    shard           integer NOT NULL,             -- of the user
    import_id       bigint NOT NULL,
    position        integer NOT NULL,             -- in the archive, from 1
    user_id         bigint NOT NULL,
    name            text NOT NULL,                -- of its first file
    state           text NOT NULL CHECK (state IN ('imported', 'skipped', 'failed')),
    reason          text,
    photo_id        bigint,
    PRIMARY KEY (import_id, position, shard),
    FOREIGN KEY (import_id, shard) REFERENCES imports (id, shard),
    CHECK (shard = (import_id & 1023))
);
CREATE INDEX import_items_user ON import_items (user_id);
CREATE INDEX import_items_failed ON import_items (import_id, position) WHERE state <> 'imported';
CREATE INDEX import_items_photo ON import_items (photo_id) WHERE photo_id IS NOT NULL;

-- The import that a photo comes from: its processing is announced to nobody but its author.
ALTER TABLE photos ADD COLUMN import_id bigint;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('imports', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('import_items', 'shard', colocate_with => 'users');
    END IF;
END $$;
