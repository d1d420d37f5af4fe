-- An application that was deleted gets no tokens any more. Its row is kept until all of its sessions have ended, which
-- takes a moment where it has many.
ALTER TABLE oauth_clients ADD COLUMN deleted_at timestamptz;
