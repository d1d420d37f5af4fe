-- The format in which an animation is shown with all its frames; null for a still picture.
ALTER TABLE photos ADD COLUMN motion text;
ALTER TABLE photo_items ADD COLUMN motion text;
