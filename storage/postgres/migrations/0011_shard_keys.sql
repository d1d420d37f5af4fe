-- offline: the keys and tables that the version before writes are replaced, so its processes are stopped first.
-- Rows and indexes are there already (0010), and constraints are validated in 0012. What is left reads each table for
-- rows that have no shard yet.
LOCK TABLE users, sessions, refresh_tokens, follows, follow_requests, blocks, mutes, photos, photo_tags, photo_exif,
    likes, comments, notifications, notification_actors, waiting_activities, idempotency_keys, outbox, dead_letters,
    contents, content_leases;

-- What processes of the version before have changed since 0010.
UPDATE users SET shard = id & 1023 WHERE shard IS NULL;
UPDATE sessions SET shard = user_id & 1023 WHERE shard IS NULL;
UPDATE refresh_tokens t SET shard = s.user_id & 1023
FROM sessions s WHERE s.id = t.session_id AND t.shard IS NULL;
UPDATE follow_requests SET shard = followee_id & 1023 WHERE shard IS NULL;
UPDATE photos SET shard = id & 1023 WHERE shard IS NULL;
UPDATE photo_tags SET shard = photo_id & 1023 WHERE shard IS NULL;
UPDATE photo_exif SET shard = photo_id & 1023 WHERE shard IS NULL;
UPDATE likes SET shard = photo_id & 1023 WHERE shard IS NULL;
UPDATE comments SET shard = id & 1023 WHERE shard IS NULL;
UPDATE notifications SET shard = id & 1023 WHERE shard IS NULL;
UPDATE notification_actors SET shard = notification_id & 1023 WHERE shard IS NULL;
UPDATE waiting_activities SET shard = recipient_id & 1023 WHERE shard IS NULL;
UPDATE idempotency_keys SET shard = user_id & 1023 WHERE shard IS NULL;
UPDATE outbox SET shard = id & 1023 WHERE shard IS NULL;
UPDATE dead_letters SET shard = id & 1023 WHERE shard IS NULL;

DELETE FROM usernames n WHERE NOT EXISTS (
    SELECT 1 FROM users u
    WHERE u.id = n.user_id AND u.username::text = n.username::text AND u.deleted_at IS NULL);
INSERT INTO usernames (username, user_id)
SELECT username, id FROM users WHERE deleted_at IS NULL ON CONFLICT DO NOTHING;
DELETE FROM emails n WHERE NOT EXISTS (
    SELECT 1 FROM users u WHERE u.id = n.user_id AND u.email::text = n.email::text AND u.deleted_at IS NULL);
INSERT INTO emails (email, user_id) SELECT email, id FROM users WHERE deleted_at IS NULL ON CONFLICT DO NOTHING;
INSERT INTO inboxes (shard, user_id) SELECT id & 1023, id FROM users ON CONFLICT DO NOTHING;

-- A row that was deleted and inserted again has another time.
DELETE FROM following n WHERE NOT EXISTS (
    SELECT 1 FROM follows f
    WHERE f.follower_id = n.follower_id AND f.followee_id = n.followee_id AND f.created_at = n.created_at);
DELETE FROM followers n WHERE NOT EXISTS (
    SELECT 1 FROM follows f
    WHERE f.follower_id = n.follower_id AND f.followee_id = n.followee_id AND f.created_at = n.created_at);
INSERT INTO following (shard, follower_id, followee_id, created_at)
SELECT follower_id & 1023, follower_id, followee_id, created_at FROM follows ON CONFLICT DO NOTHING;
INSERT INTO followers (shard, followee_id, follower_id, created_at)
SELECT followee_id & 1023, followee_id, follower_id, created_at FROM follows ON CONFLICT DO NOTHING;

DELETE FROM block_sides n WHERE n.outgoing AND NOT EXISTS (
    SELECT 1 FROM blocks o
    WHERE o.blocker_id = n.owner_id AND o.blocked_id = n.other_id AND o.created_at = n.created_at);
DELETE FROM block_sides n WHERE NOT n.outgoing AND NOT EXISTS (
    SELECT 1 FROM blocks o
    WHERE o.blocker_id = n.other_id AND o.blocked_id = n.owner_id AND o.created_at = n.created_at);
INSERT INTO block_sides (shard, owner_id, other_id, outgoing, created_at)
SELECT blocker_id & 1023, blocker_id, blocked_id, true, created_at FROM blocks
UNION ALL SELECT blocked_id & 1023, blocked_id, blocker_id, false, created_at FROM blocks
ON CONFLICT DO NOTHING;

DELETE FROM mute_sides n WHERE n.outgoing AND NOT EXISTS (
    SELECT 1 FROM mutes o
    WHERE o.muter_id = n.owner_id AND o.muted_id = n.other_id AND o.created_at = n.created_at);
DELETE FROM mute_sides n WHERE NOT n.outgoing AND NOT EXISTS (
    SELECT 1 FROM mutes o
    WHERE o.muter_id = n.other_id AND o.muted_id = n.owner_id AND o.created_at = n.created_at);
INSERT INTO mute_sides (shard, owner_id, other_id, outgoing, created_at)
SELECT muter_id & 1023, muter_id, muted_id, true, created_at FROM mutes
UNION ALL SELECT muted_id & 1023, muted_id, muter_id, false, created_at FROM mutes
ON CONFLICT DO NOTHING;

DROP TABLE follows, blocks, mutes;
ALTER TABLE block_sides RENAME TO blocks;
ALTER TABLE mute_sides RENAME TO mutes;
ALTER INDEX block_sides_pkey RENAME TO blocks_pkey;
ALTER INDEX mute_sides_pkey RENAME TO mutes_pkey;

-- CASCADE drops the foreign keys to the old keys.
ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE;
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey CASCADE;
ALTER TABLE refresh_tokens DROP CONSTRAINT refresh_tokens_pkey CASCADE;
ALTER TABLE follow_requests DROP CONSTRAINT follow_requests_pkey CASCADE;
ALTER TABLE photos DROP CONSTRAINT photos_pkey CASCADE;
ALTER TABLE photo_tags DROP CONSTRAINT photo_tags_pkey CASCADE;
ALTER TABLE photo_exif DROP CONSTRAINT photo_exif_pkey CASCADE;
ALTER TABLE likes DROP CONSTRAINT likes_pkey CASCADE;
ALTER TABLE comments DROP CONSTRAINT comments_pkey CASCADE;
ALTER TABLE notifications DROP CONSTRAINT notifications_pkey CASCADE;
ALTER TABLE notification_actors DROP CONSTRAINT notification_actors_pkey CASCADE;
ALTER TABLE waiting_activities DROP CONSTRAINT waiting_activities_pkey CASCADE;
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey CASCADE;
ALTER TABLE outbox DROP CONSTRAINT outbox_pkey CASCADE;
ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_pkey CASCADE;
ALTER TABLE content_leases DROP CONSTRAINT content_leases_pkey;

-- Ids come from the processes: a sequence would differ from server to server.
ALTER TABLE waiting_activities ALTER COLUMN id DROP IDENTITY;
ALTER TABLE outbox ALTER COLUMN id DROP IDENTITY;
ALTER TABLE content_leases ALTER COLUMN id DROP IDENTITY;

ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY USING INDEX users_key_by_shard;
ALTER TABLE sessions ADD CONSTRAINT sessions_pkey PRIMARY KEY USING INDEX sessions_key_by_shard;
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY USING INDEX refresh_tokens_key_by_shard;
ALTER TABLE follow_requests ADD CONSTRAINT follow_requests_pkey PRIMARY KEY USING INDEX follow_requests_key_by_shard;
ALTER TABLE photos ADD CONSTRAINT photos_pkey PRIMARY KEY USING INDEX photos_key_by_shard;
ALTER TABLE photo_tags ADD CONSTRAINT photo_tags_pkey PRIMARY KEY USING INDEX photo_tags_key_by_shard;
ALTER TABLE photo_exif ADD CONSTRAINT photo_exif_pkey PRIMARY KEY USING INDEX photo_exif_key_by_shard;
ALTER TABLE likes ADD CONSTRAINT likes_pkey PRIMARY KEY USING INDEX likes_key_by_shard;
ALTER TABLE comments ADD CONSTRAINT comments_pkey PRIMARY KEY USING INDEX comments_key_by_shard;
ALTER TABLE notifications ADD CONSTRAINT notifications_pkey PRIMARY KEY USING INDEX notifications_key_by_shard;
ALTER TABLE notification_actors ADD CONSTRAINT notification_actors_pkey
    PRIMARY KEY USING INDEX notification_actors_key_by_shard;
ALTER TABLE waiting_activities ADD CONSTRAINT waiting_activities_pkey
    PRIMARY KEY USING INDEX waiting_activities_key_by_shard;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY USING INDEX idempotency_keys_key_by_shard;
ALTER TABLE outbox ADD CONSTRAINT outbox_pkey PRIMARY KEY USING INDEX outbox_key_by_shard;
ALTER TABLE dead_letters ADD CONSTRAINT dead_letters_pkey PRIMARY KEY USING INDEX dead_letters_key_by_shard;
ALTER TABLE content_leases ADD CONSTRAINT content_leases_pkey PRIMARY KEY (id, sha256);

DROP INDEX users_username_key, users_email_key, users_username_prefix, notifications_open_group, photos_by_author,
    comments_of_photo, likes_newest, notifications_inbox, notifications_unread, notification_actors_newest,
    notification_actors_act, waiting_activities_recipient;
ALTER INDEX notifications_open_group_by_shard RENAME TO notifications_open_group;
ALTER INDEX photos_by_author_by_shard RENAME TO photos_by_author;
ALTER INDEX comments_of_photo_by_shard RENAME TO comments_of_photo;
ALTER INDEX likes_newest_by_shard RENAME TO likes_newest;
ALTER INDEX notifications_inbox_by_shard RENAME TO notifications_inbox;
ALTER INDEX notifications_unread_by_shard RENAME TO notifications_unread;
ALTER INDEX notification_actors_newest_by_shard RENAME TO notification_actors_newest;
ALTER INDEX notification_actors_act_by_shard RENAME TO notification_actors_act;
ALTER INDEX waiting_activities_recipient_by_shard RENAME TO waiting_activities_recipient;

ALTER TABLE users ADD CONSTRAINT users_shard_check CHECK (shard = (id & 1023)) NOT VALID;
ALTER TABLE sessions ADD CONSTRAINT sessions_shard_check CHECK (shard = (user_id & 1023)) NOT VALID;
ALTER TABLE follow_requests ADD CONSTRAINT follow_requests_shard_check CHECK (shard = (followee_id & 1023)) NOT VALID;
ALTER TABLE photos ADD CONSTRAINT photos_shard_check CHECK (shard = (id & 1023)) NOT VALID;
ALTER TABLE photo_tags ADD CONSTRAINT photo_tags_shard_check CHECK (shard = (photo_id & 1023)) NOT VALID;
ALTER TABLE photo_exif ADD CONSTRAINT photo_exif_shard_check CHECK (shard = (photo_id & 1023)) NOT VALID;
ALTER TABLE likes ADD CONSTRAINT likes_shard_check CHECK (shard = (photo_id & 1023)) NOT VALID;
ALTER TABLE comments ADD CONSTRAINT comments_shard_check CHECK (shard = (id & 1023)) NOT VALID;
ALTER TABLE notifications ADD CONSTRAINT notifications_shard_check CHECK (shard = (id & 1023)) NOT VALID;
ALTER TABLE notification_actors ADD CONSTRAINT notification_actors_shard_check
    CHECK (shard = (notification_id & 1023)) NOT VALID;
ALTER TABLE waiting_activities ADD CONSTRAINT waiting_activities_shard_check
    CHECK (shard = (recipient_id & 1023)) NOT VALID;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_shard_check CHECK (shard = (user_id & 1023)) NOT VALID;

ALTER TABLE sessions ADD CONSTRAINT sessions_user_id_fkey
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_session_id_fkey
    FOREIGN KEY (session_id, shard) REFERENCES sessions (id, shard) ON DELETE CASCADE NOT VALID;
ALTER TABLE following ADD CONSTRAINT following_follower_id_fkey
    FOREIGN KEY (follower_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE followers ADD CONSTRAINT followers_followee_id_fkey
    FOREIGN KEY (followee_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE follow_requests ADD CONSTRAINT follow_requests_followee_id_fkey
    FOREIGN KEY (followee_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE blocks ADD CONSTRAINT blocks_owner_id_fkey
    FOREIGN KEY (owner_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE mutes ADD CONSTRAINT mutes_owner_id_fkey
    FOREIGN KEY (owner_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE inboxes ADD CONSTRAINT inboxes_user_id_fkey
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE photos ADD CONSTRAINT photos_author_id_fkey
    FOREIGN KEY (author_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE photo_tags ADD CONSTRAINT photo_tags_photo_id_fkey
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard) NOT VALID;
ALTER TABLE photo_exif ADD CONSTRAINT photo_exif_photo_id_fkey
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard) NOT VALID;
ALTER TABLE likes ADD CONSTRAINT likes_photo_id_fkey
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard) NOT VALID;
ALTER TABLE comments ADD CONSTRAINT comments_photo_id_fkey
    FOREIGN KEY (photo_id, shard) REFERENCES photos (id, shard) NOT VALID;
ALTER TABLE notifications ADD CONSTRAINT notifications_user_id_fkey
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE notification_actors ADD CONSTRAINT notification_actors_notification_id_fkey
    FOREIGN KEY (notification_id, shard) REFERENCES notifications (id, shard) ON DELETE CASCADE NOT VALID;
ALTER TABLE waiting_activities ADD CONSTRAINT waiting_activities_recipient_id_fkey
    FOREIGN KEY (recipient_id, shard) REFERENCES users (id, shard) NOT VALID;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_user_id_fkey
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard) NOT VALID;

-- A key is claimed before its request is carried out, and has no response until then.
ALTER TABLE idempotency_keys ALTER COLUMN status DROP NOT NULL, ALTER COLUMN response DROP NOT NULL;
