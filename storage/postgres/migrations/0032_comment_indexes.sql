-- no-transaction
-- The lists of comments in both orders, of pinned ones and of replies. The index comments_of_photo, which lists
-- comments and replies together, is left for the version before.
DROP INDEX CONCURRENTLY IF EXISTS comments_newest;
CREATE INDEX CONCURRENTLY comments_newest ON comments (photo_id, shard, id DESC)
    WHERE reply_to IS NULL AND deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS comments_top;
CREATE INDEX CONCURRENTLY comments_top ON comments (photo_id, shard, likes DESC, id DESC)
    WHERE reply_to IS NULL AND deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS comments_pinned;
CREATE INDEX CONCURRENTLY comments_pinned ON comments (photo_id, shard, pinned_at DESC)
    WHERE pinned_at IS NOT NULL AND deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS comments_replies;
CREATE INDEX CONCURRENTLY comments_replies ON comments (reply_to, shard, id)
    WHERE reply_to IS NOT NULL AND deleted_at IS NULL;

-- The likes of each comment are a group of their own. Entries of the version before name no comment.
DROP INDEX CONCURRENTLY IF EXISTS notifications_open_subject;
CREATE UNIQUE INDEX CONCURRENTLY notifications_open_subject
    ON notifications (shard, user_id, kind, (coalesce(photo_id, 0)), (coalesce(comment_id, 0)))
    WHERE read_at IS NULL AND deleted_at IS NULL AND closed_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS notifications_open_group;
DROP INDEX CONCURRENTLY IF EXISTS notifications_comment;
CREATE INDEX CONCURRENTLY notifications_comment ON notifications (comment_id, shard)
    WHERE comment_id IS NOT NULL AND deleted_at IS NULL;
