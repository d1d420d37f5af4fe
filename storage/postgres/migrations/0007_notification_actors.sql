-- An entry of an inbox keeps its newest three actors, as it keeps their number: both follow each change of an actor's
-- row, so that an activity costs the same whatever the number of actors.
ALTER TABLE notifications ADD COLUMN newest_actors bigint[] NOT NULL DEFAULT '{}';
CREATE INDEX notification_actors_newest ON notification_actors (notification_id, created_at DESC, actor_id DESC)
    WHERE retracted_at IS NULL;
UPDATE notifications n SET newest_actors = newest.actors
FROM (
    SELECT notification_id, array_agg(actor_id ORDER BY place) AS actors
    FROM (
        SELECT notification_id, actor_id,
            row_number() OVER (PARTITION BY notification_id ORDER BY max(created_at) DESC, actor_id DESC) AS place
        FROM notification_actors WHERE retracted_at IS NULL GROUP BY notification_id, actor_id
    ) AS ranked
    WHERE place <= 3 GROUP BY notification_id
) AS newest
WHERE n.id = newest.notification_id;

-- Activities for an inbox that is being changed. The change that is next takes them, so that no worker waits for its turn.
CREATE TABLE waiting_activities (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient_id    bigint NOT NULL REFERENCES users,
    operation       text NOT NULL,                -- what is to be done with the activity
    kind            text NOT NULL,
    actor_id        bigint,
    photo_id        bigint,
    source_id       bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX waiting_activities_recipient ON waiting_activities (recipient_id, id);
