-- no-transaction
-- The new columns and tables are filled in batches of pages, each committed for itself. After an interruption all pages
-- are read again, and what is done already is left as it is.
DO $$
DECLARE
    change text[];
    page bigint;
BEGIN
    -- A table that is read by pages as `t`, and the change of the rows of a page, which ends in its condition.
    FOREACH change SLICE 1 IN ARRAY ARRAY[
        ['users', 'UPDATE users t SET shard = id & 1023 WHERE shard IS NULL'],
        ['sessions', 'UPDATE sessions t SET shard = user_id & 1023 WHERE shard IS NULL'],
        ['refresh_tokens',
            'UPDATE refresh_tokens t SET shard = s.user_id & 1023 FROM sessions s '
            'WHERE s.id = t.session_id AND t.shard IS NULL'],
        ['follow_requests', 'UPDATE follow_requests t SET shard = followee_id & 1023 WHERE shard IS NULL'],
        ['photos', 'UPDATE photos t SET shard = id & 1023 WHERE shard IS NULL'],
        ['photo_tags', 'UPDATE photo_tags t SET shard = photo_id & 1023 WHERE shard IS NULL'],
        ['photo_exif', 'UPDATE photo_exif t SET shard = photo_id & 1023 WHERE shard IS NULL'],
        ['likes', 'UPDATE likes t SET shard = photo_id & 1023 WHERE shard IS NULL'],
        ['comments', 'UPDATE comments t SET shard = id & 1023 WHERE shard IS NULL'],
        ['notifications', 'UPDATE notifications t SET shard = id & 1023 WHERE shard IS NULL'],
        ['notification_actors', 'UPDATE notification_actors t SET shard = notification_id & 1023 WHERE shard IS NULL'],
        ['waiting_activities', 'UPDATE waiting_activities t SET shard = recipient_id & 1023 WHERE shard IS NULL'],
        ['idempotency_keys', 'UPDATE idempotency_keys t SET shard = user_id & 1023 WHERE shard IS NULL'],
        ['outbox', 'UPDATE outbox t SET shard = id & 1023 WHERE shard IS NULL'],
        ['dead_letters', 'UPDATE dead_letters t SET shard = id & 1023 WHERE shard IS NULL'],
        ['users',
            'INSERT INTO usernames (username, user_id) SELECT username, id FROM users t WHERE deleted_at IS NULL'],
        ['users', 'INSERT INTO emails (email, user_id) SELECT email, id FROM users t WHERE deleted_at IS NULL'],
        ['users', 'INSERT INTO inboxes (shard, user_id) SELECT id & 1023, id FROM users t WHERE true'],
        ['follows',
            'INSERT INTO following (shard, follower_id, followee_id, created_at) '
            'SELECT follower_id & 1023, follower_id, followee_id, created_at FROM follows t WHERE true'],
        ['follows',
            'INSERT INTO followers (shard, followee_id, follower_id, created_at) '
            'SELECT followee_id & 1023, followee_id, follower_id, created_at FROM follows t WHERE true'],
        ['blocks',
            'INSERT INTO block_sides (shard, owner_id, other_id, outgoing, created_at) '
            'SELECT blocker_id & 1023, blocker_id, blocked_id, true, created_at FROM blocks t WHERE true'],
        ['blocks',
            'INSERT INTO block_sides (shard, owner_id, other_id, outgoing, created_at) '
            'SELECT blocked_id & 1023, blocked_id, blocker_id, false, created_at FROM blocks t WHERE true'],
        ['mutes',
            'INSERT INTO mute_sides (shard, owner_id, other_id, outgoing, created_at) '
            'SELECT muter_id & 1023, muter_id, muted_id, true, created_at FROM mutes t WHERE true'],
        ['mutes',
            'INSERT INTO mute_sides (shard, owner_id, other_id, outgoing, created_at) '
            'SELECT muted_id & 1023, muted_id, muter_id, false, created_at FROM mutes t WHERE true']
    ] LOOP
        FOR page IN 0 .. pg_relation_size(change[1]::regclass) / current_setting('block_size')::bigint BY 100 LOOP
            EXECUTE change[2]
                || format(' AND t.ctid >= %L::tid', format('(%s,0)', page))
                || format(' AND t.ctid < %L::tid', format('(%s,0)', page + 100))
                || CASE WHEN change[2] LIKE 'INSERT%' THEN ' ON CONFLICT DO NOTHING' ELSE '' END;
            COMMIT;
        END LOOP;
    END LOOP;
END $$;

-- These become the keys in 0011. An interrupted build leaves an invalid index.
DROP INDEX CONCURRENTLY IF EXISTS users_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY users_key_by_shard ON users (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS sessions_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY sessions_key_by_shard ON sessions (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS refresh_tokens_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY refresh_tokens_key_by_shard ON refresh_tokens (token_sha256, shard);
DROP INDEX CONCURRENTLY IF EXISTS follow_requests_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY follow_requests_key_by_shard ON follow_requests (followee_id, shard, follower_id);
DROP INDEX CONCURRENTLY IF EXISTS photos_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY photos_key_by_shard ON photos (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS photo_tags_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY photo_tags_key_by_shard ON photo_tags (tag, photo_id, shard);
DROP INDEX CONCURRENTLY IF EXISTS photo_exif_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY photo_exif_key_by_shard ON photo_exif (photo_id, shard);
DROP INDEX CONCURRENTLY IF EXISTS likes_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY likes_key_by_shard ON likes (photo_id, user_id, shard);
DROP INDEX CONCURRENTLY IF EXISTS comments_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY comments_key_by_shard ON comments (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS notifications_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY notifications_key_by_shard ON notifications (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS notification_actors_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY notification_actors_key_by_shard
    ON notification_actors (notification_id, actor_id, source_id, shard);
DROP INDEX CONCURRENTLY IF EXISTS waiting_activities_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY waiting_activities_key_by_shard ON waiting_activities (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS idempotency_keys_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY idempotency_keys_key_by_shard ON idempotency_keys (user_id, key, shard);
DROP INDEX CONCURRENTLY IF EXISTS outbox_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY outbox_key_by_shard ON outbox (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS dead_letters_key_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY dead_letters_key_by_shard ON dead_letters (id, shard);
DROP INDEX CONCURRENTLY IF EXISTS notifications_open_group_by_shard;
CREATE UNIQUE INDEX CONCURRENTLY notifications_open_group_by_shard
    ON notifications (shard, user_id, kind, (coalesce(photo_id, 0)))
    WHERE read_at IS NULL AND deleted_at IS NULL AND closed_at IS NULL;

-- These replace indexes that give rows in the order of a page. With the shard among their columns the order is used
-- whatever the planner expects: it takes the shard for a condition of its own, and would expect few rows and sort them.
DROP INDEX CONCURRENTLY IF EXISTS photos_by_author_by_shard;
CREATE INDEX CONCURRENTLY photos_by_author_by_shard
    ON photos (author_id, shard, id DESC) INCLUDE (state) WHERE deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS comments_of_photo_by_shard;
CREATE INDEX CONCURRENTLY comments_of_photo_by_shard ON comments (photo_id, shard, id DESC) WHERE deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS likes_newest_by_shard;
CREATE INDEX CONCURRENTLY likes_newest_by_shard ON likes (photo_id, shard, version DESC);
DROP INDEX CONCURRENTLY IF EXISTS notifications_inbox_by_shard;
CREATE INDEX CONCURRENTLY notifications_inbox_by_shard
    ON notifications (user_id, shard, position DESC) WHERE deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS notifications_unread_by_shard;
CREATE INDEX CONCURRENTLY notifications_unread_by_shard
    ON notifications (user_id, shard) INCLUDE (seen_at) WHERE read_at IS NULL AND deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS notification_actors_newest_by_shard;
CREATE INDEX CONCURRENTLY notification_actors_newest_by_shard
    ON notification_actors (notification_id, shard, created_at DESC, actor_id DESC) WHERE retracted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS notification_actors_act_by_shard;
CREATE INDEX CONCURRENTLY notification_actors_act_by_shard ON notification_actors (actor_id, source_id, shard);
DROP INDEX CONCURRENTLY IF EXISTS waiting_activities_recipient_by_shard;
CREATE INDEX CONCURRENTLY waiting_activities_recipient_by_shard ON waiting_activities (recipient_id, shard, id);

-- Without statistics the planner would take the filled tables for empty ones until they are analysed by chance.
DO $$ BEGIN
    ANALYZE;
END $$;
