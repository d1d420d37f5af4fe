-- With the extension citus, the tables are distributed by shard; on a plain PostgreSQL nothing happens.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('users', 'shard', shard_count => 32);
        -- In the order of their foreign keys.
        PERFORM create_distributed_table(name, 'shard', colocate_with => 'users')
        FROM unnest(ARRAY[
            'sessions', 'refresh_tokens', 'following', 'followers', 'follow_requests', 'blocks', 'mutes', 'inboxes', 'photos',
            'photo_tags', 'photo_exif', 'likes', 'comments', 'notifications', 'notification_actors', 'waiting_activities',
            'idempotency_keys', 'outbox', 'dead_letters'
        ]) WITH ORDINALITY AS tables (name, place) ORDER BY place;
        PERFORM create_distributed_table('usernames', 'username', colocate_with => 'none');
        PERFORM create_distributed_table('emails', 'email', colocate_with => 'none');
        PERFORM create_distributed_table('contents', 'sha256', colocate_with => 'none');
        PERFORM create_distributed_table('content_leases', 'sha256', colocate_with => 'contents');
    END IF;
END $$;
