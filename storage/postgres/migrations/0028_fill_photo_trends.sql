-- no-transaction
-- The likes so far are counted in batches of photos, each committed for itself; after an interruption all are counted
-- again. An id has 41 bits of milliseconds since the beginning
-- of 2026 above 22 others; the number below is a day after that.
DO $$
DECLARE
    previous bigint := 0;
    last bigint;
BEGIN
    LOOP
        SELECT max(batch.id) INTO last FROM (
            SELECT p.id FROM photos p WHERE p.id > previous ORDER BY p.id LIMIT 1000) AS batch;
        EXIT WHEN last IS NULL;
        UPDATE photos p SET trend_likes = counted.likes FROM (
            SELECT l.shard, l.photo_id, count(*)::integer AS likes FROM likes l
            JOIN photos q ON q.id = l.photo_id AND q.shard = l.shard
            WHERE l.photo_id > previous AND l.photo_id <= last AND l.user_id <> q.author_id
              AND l.created_at >= to_timestamp(((l.user_id >> 22) + 1767312000000) / 1000.0)
            GROUP BY l.shard, l.photo_id) AS counted
        WHERE p.id = counted.photo_id AND p.shard = counted.shard AND p.trend_likes <> counted.likes;
        COMMIT;
        previous := last;
    END LOOP;
END $$;
