-- Whether the images of a user have the creator and the licence that their files name, and the contents whose images
-- have none. Images that are there were made without them, and what is made of their originals later has none either.
ALTER TABLE users ADD COLUMN publish_rights boolean NOT NULL DEFAULT true;
ALTER TABLE contents ADD COLUMN rights_withheld boolean NOT NULL DEFAULT true;
ALTER TABLE contents ALTER COLUMN rights_withheld SET DEFAULT false;
