-- Whether the JPEGs of a picture have a gain map.
ALTER TABLE photos ADD COLUMN hdr boolean NOT NULL DEFAULT false;
ALTER TABLE photo_items ADD COLUMN hdr boolean NOT NULL DEFAULT false;
