-- no-transaction
-- Positions were stored without a setting by which a user could ask for them. They are removed in batches, each
-- committed for itself; after an interruption all rows are read again, and what is done already is left as it is.
DO $$
DECLARE
    previous bigint := 0;
    last bigint;
BEGIN
    LOOP
        SELECT max(batch.photo_id) INTO last FROM (
            SELECT e.photo_id FROM photo_exif e WHERE e.photo_id > previous ORDER BY e.photo_id LIMIT 1000) AS batch;
        EXIT WHEN last IS NULL;
        UPDATE photo_exif SET exif = exif - 'GPS' WHERE photo_id > previous AND photo_id <= last AND exif ? 'GPS';
        COMMIT;
        previous := last;
    END LOOP;
END $$;
