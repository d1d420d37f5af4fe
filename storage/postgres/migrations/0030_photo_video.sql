-- Of a video: width, height, duration in seconds and bytes of the one that is played; null for a picture.
ALTER TABLE photos ADD COLUMN video jsonb;
