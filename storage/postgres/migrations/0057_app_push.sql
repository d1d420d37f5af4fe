-- Push subscriptions of apps with Mastodon's interface, whose messages contain the app's token: `app_token` is encrypted
-- with a key of `auth.secret`. NULL for browsers.
ALTER TABLE push_subscriptions ADD COLUMN app_token bytea;
ALTER TABLE push_subscriptions ADD COLUMN app_alerts text[];
ALTER TABLE push_subscriptions ADD COLUMN app_policy text;
ALTER TABLE push_subscriptions ADD COLUMN app_legacy boolean; -- its messages have the encoding aesgcm
