-- A deleted account is erased in batches, each of which emits the event of the next one. The time of the last of these
-- events shows the janitor which accounts have none: those that wait for the end of their grace period, and those whose
-- event was lost.
ALTER TABLE users ADD COLUMN erasure_queued_at timestamptz;

-- Batches of an author's comments are found by id; those that are deleted already would be read again for each batch.
CREATE INDEX comments_of_author ON comments (author_id, id) WHERE deleted_at IS NULL;
DROP INDEX comments_by_author;
