-- When a photo was taken, from its EXIF or its author, and when its description was edited last.
ALTER TABLE photos ADD COLUMN taken_at timestamptz;
ALTER TABLE photos ADD COLUMN edited_at timestamptz;
