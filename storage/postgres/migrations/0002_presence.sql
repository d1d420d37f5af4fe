-- Whom a person lets know whether they are online: their followers, or nobody. All rows that are there take the
-- default, so the check need not read them while the table is locked.
ALTER TABLE users ADD COLUMN presence text NOT NULL DEFAULT 'followers';
ALTER TABLE users ADD CONSTRAINT users_presence_check CHECK (presence IN ('followers', 'nobody')) NOT VALID;
