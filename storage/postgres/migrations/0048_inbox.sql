-- When its recipient deleted an entry: it stays deleted, whatever becomes of its activities, unless that is undone.
ALTER TABLE notifications ADD COLUMN dismissed_at timestamptz;
-- What an entry says that is written nowhere else: an event of the account's security and its device.
ALTER TABLE notifications ADD COLUMN details jsonb;
ALTER TABLE waiting_activities ADD COLUMN details jsonb;
-- An activity that is retracted only because its actor is suspended or deleted, and returns with the actor.
ALTER TABLE notification_actors ADD COLUMN hidden boolean NOT NULL DEFAULT false;
-- The follower is notified of each new photo of the followee.
ALTER TABLE followers ADD COLUMN bell boolean NOT NULL DEFAULT false;
