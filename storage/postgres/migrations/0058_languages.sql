-- The language that a user has chosen for texts to them, `auto` for that of the browser, which each session has (NULL for
-- sessions of the version before). There is no list of languages here: another one needs no migration.
ALTER TABLE users ADD COLUMN language text NOT NULL DEFAULT 'auto';
ALTER TABLE sessions ADD COLUMN language text;
