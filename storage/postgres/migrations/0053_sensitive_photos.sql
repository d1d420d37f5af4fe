-- Whether the author has marked the photo as sensitive. Moderation marks photos, too, in `photos.moderation`.
ALTER TABLE photos ADD COLUMN marked_sensitive boolean NOT NULL DEFAULT false;
