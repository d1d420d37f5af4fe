-- A group of activities closes when it is read or a day after its first one; the next activity creates another entry.
ALTER TABLE notifications ADD COLUMN closed_at timestamptz;
-- Set by changes that bring no news (an activity was retracted, or comes back), so that clients do not announce them.
ALTER TABLE notifications ADD COLUMN silent boolean NOT NULL DEFAULT false;
-- A retracted activity keeps its row, so that repeating it is not taken for news.
ALTER TABLE notification_actors ADD COLUMN retracted_at timestamptz;

DROP INDEX notifications_open_group;
CREATE UNIQUE INDEX notifications_open_group ON notifications (user_id, kind, (coalesce(photo_id, 0)))
    WHERE read_at IS NULL AND deleted_at IS NULL AND closed_at IS NULL;
