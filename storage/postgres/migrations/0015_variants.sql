-- Variants that were made on request: when each was last used, so that unused ones can be deleted, and which ones cannot
-- be made. Those that are made with every photo are listed here only if they could not be made. The store decides what
-- is there; a row without its object is harmless, and the object is made again.
CREATE TABLE variants (
    sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    recipe      integer NOT NULL,
    name        text NOT NULL,                           -- '<size>.<format>'
    bytes       bigint NOT NULL,                         -- 0: the original cannot be decoded to this variant
    last_used   date NOT NULL,
    PRIMARY KEY (sha256, recipe, name)
);
CREATE INDEX variants_last_used ON variants (last_used);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('variants', 'sha256', colocate_with => 'contents');
    END IF;
END $$;
