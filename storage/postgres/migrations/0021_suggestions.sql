-- Texts in the files of photos, by the fields for which they are suggested to the author.
ALTER TABLE photo_exif ADD COLUMN suggestions jsonb NOT NULL DEFAULT '{}';
