-- no-transaction
-- A page of the inbox with some kinds alone.
DROP INDEX CONCURRENTLY IF EXISTS notifications_kinds;
CREATE INDEX CONCURRENTLY notifications_kinds ON notifications (user_id, shard, kind, position DESC)
    WHERE deleted_at IS NULL;
-- The counters by kind, without a look at the rows. notifications_unread lacks the kind.
DROP INDEX CONCURRENTLY IF EXISTS notifications_counters;
CREATE INDEX CONCURRENTLY notifications_counters ON notifications (user_id, shard) INCLUDE (seen_at, kind)
    WHERE read_at IS NULL AND deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS notifications_unread;
-- The followers with a bell, in the order of fan-out.
DROP INDEX CONCURRENTLY IF EXISTS followers_bell;
CREATE INDEX CONCURRENTLY followers_bell ON followers (followee_id, shard, (follower_id & 1023), follower_id)
    WHERE bell;
-- The entry about a decision, a report, a webhook or an event of security, also a deleted one.
DROP INDEX CONCURRENTLY IF EXISTS notifications_subject;
CREATE INDEX CONCURRENTLY notifications_subject ON notifications (subject_id, shard) WHERE subject_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS notifications_dismissed;
CREATE INDEX CONCURRENTLY notifications_dismissed ON notifications (user_id, shard, position DESC)
    WHERE dismissed_at IS NOT NULL;
