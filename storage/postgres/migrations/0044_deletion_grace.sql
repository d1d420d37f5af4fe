-- Until when the owner can undo the deletion of an account. Until then it has `deleted_at`, which hides it, and all that
-- belongs to it is kept. `erasure_queued_at` is this time as well, so that the version before does not begin to erase.
ALTER TABLE users ADD COLUMN deletion_due_at timestamptz;
