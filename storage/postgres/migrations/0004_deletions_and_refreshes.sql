-- The last rotation of a session: its time, which is also the `used_at` of the tokens that it used up, and the client.
-- For a short time a token of this rotation can be used again, by the same client, whose response may have been lost.
ALTER TABLE sessions ADD COLUMN rotated_at timestamptz;
ALTER TABLE sessions ADD COLUMN rotated_by bytea;

-- Photos, comments, sessions and other rows that were inserted while their account was being deleted: the janitor erases
-- these accounts once more, now with everything that was left.
UPDATE users u SET erased_at = NULL WHERE u.erased_at IS NOT NULL AND (
    EXISTS (SELECT FROM photos WHERE author_id = u.id AND deleted_at IS NULL)
    OR EXISTS (SELECT FROM comments WHERE author_id = u.id AND deleted_at IS NULL)
    OR EXISTS (SELECT FROM sessions WHERE user_id = u.id AND revoked_at IS NULL)
    OR EXISTS (SELECT FROM likes WHERE user_id = u.id)
    OR EXISTS (SELECT FROM follows WHERE follower_id = u.id)
    OR EXISTS (SELECT FROM follows WHERE followee_id = u.id)
    OR EXISTS (SELECT FROM follow_requests WHERE follower_id = u.id OR followee_id = u.id)
    OR EXISTS (SELECT FROM notifications WHERE user_id = u.id)
    OR EXISTS (SELECT FROM idempotency_keys WHERE user_id = u.id));
