-- The likes that count for the ranking of photos: of others, whose accounts were a day old by then.
ALTER TABLE photos ADD COLUMN trend_likes integer NOT NULL DEFAULT 0;
