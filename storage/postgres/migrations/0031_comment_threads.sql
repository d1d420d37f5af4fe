-- Replies to comments (one level), likes of comments, edits and pins, and the accounts that comments and captions
-- mention. A comment and its replies are in the shard of their photo.
ALTER TABLE comments ADD COLUMN reply_to bigint;     -- the comment that it is below; null for one that is no reply
ALTER TABLE comments ADD COLUMN answered_id bigint;  -- the user whom a reply answers, in any shard
ALTER TABLE comments ADD COLUMN replies integer NOT NULL DEFAULT 0;
ALTER TABLE comments ADD COLUMN likes integer NOT NULL DEFAULT 0;
ALTER TABLE comments ADD COLUMN version bigint NOT NULL DEFAULT 0;  -- grows with every change of the comment
ALTER TABLE comments ADD COLUMN mentions jsonb NOT NULL DEFAULT '[]';
ALTER TABLE comments ADD COLUMN edited_at timestamptz;
ALTER TABLE comments ADD COLUMN pinned_at timestamptz;
ALTER TABLE photos ADD COLUMN mentions jsonb NOT NULL DEFAULT '[]';  -- in the caption
ALTER TABLE notifications ADD COLUMN comment_id bigint;  -- the comment that an entry is about, in any shard

CREATE TABLE comment_likes (
    shard           integer NOT NULL,             -- of the comment
    comment_id      bigint NOT NULL,
    user_id         bigint NOT NULL,              -- an account in any shard
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (comment_id, user_id, shard),
    FOREIGN KEY (comment_id, shard) REFERENCES comments (id, shard) ON DELETE CASCADE,
    CHECK (shard = (comment_id & 1023))
);
CREATE INDEX comment_likes_by_user ON comment_likes (user_id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('comment_likes', 'shard', colocate_with => 'users');
    END IF;
END $$;
