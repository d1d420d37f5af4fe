-- With the extension citus, the tables are distributed by shard; on a plain PostgreSQL nothing happens. `leases` and
-- `schema_migrations` stay on the coordinator.
DO $$
DECLARE
    name text;
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('users', 'shard', shard_count => 32);
        -- In the order of their foreign keys: a table can refer to none that is not distributed yet.
        FOREACH name IN ARRAY ARRAY[
            'sessions', 'refresh_tokens', 'following', 'followers', 'follow_requests', 'blocks', 'mutes', 'inboxes',
            'photos', 'photo_tags', 'photo_exif', 'likes', 'comments', 'notifications', 'notification_actors',
            'waiting_activities', 'idempotency_keys', 'outbox', 'dead_letters'
        ] LOOP
            PERFORM create_distributed_table(name::regclass, 'shard', colocate_with => 'users');
        END LOOP;
        PERFORM create_distributed_table('usernames', 'username', colocate_with => 'none');
        PERFORM create_distributed_table('emails', 'email', colocate_with => 'none');
        PERFORM create_distributed_table('contents', 'sha256', colocate_with => 'none');
        PERFORM create_distributed_table('content_leases', 'sha256', colocate_with => 'contents');
    END IF;
END $$;
