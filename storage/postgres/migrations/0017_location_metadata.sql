-- How exactly the positions in the EXIF of a user's new photos are kept. All rows that are there take the default, so
-- the check need not read them while the table is locked.
ALTER TABLE users ADD COLUMN location_metadata text NOT NULL DEFAULT 'off';
ALTER TABLE users ADD CONSTRAINT users_location_metadata_check
    CHECK (location_metadata IN ('off', 'coarse', 'exact')) NOT VALID;
