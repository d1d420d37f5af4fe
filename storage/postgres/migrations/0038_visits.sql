-- When the visit before the present one ended: the highlights of a home feed begin there.
ALTER TABLE users ADD COLUMN previous_visit_at timestamptz;
