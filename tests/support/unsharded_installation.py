"""An installation of the version before migration 0009, with rows of every kind, and what becomes of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from storage.postgres.migrate import FOLDER, migrate

Rows = list[tuple[Any, ...]]

# `u` and `p` return ids as `storage.ids` makes them: of the account and the photo with a number. An account has two
# photos; accounts with a number that ends in 0 or 1 are deleted, the latter erased. Their names are free again.
_POPULATION = """
CREATE FUNCTION pg_temp.u(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    'SELECT ((1 + m) << 10) | ((1 + m) * 37 % 1024) FROM (SELECT n % current_setting(''test.users'')::bigint AS m)';
CREATE FUNCTION pg_temp.p(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    'SELECT ((1000000 + n) << 10) | (pg_temp.u(n / 2) & 1023)';
CREATE TEMPORARY TABLE account AS
SELECT n, pg_temp.u(n) AS id, timestamptz '2026-01-01' + n * interval '7 minutes' AS at
FROM generate_series(0, current_setting('test.users')::integer - 1) AS n;
CREATE TEMPORARY TABLE photo AS
SELECT n, pg_temp.p(n) AS id, timestamptz '2026-02-01' + n * interval '1 minute' AS at
FROM generate_series(0, current_setting('test.users')::integer * 2 - 1) AS n;

INSERT INTO users (id, username, email, password_hash, display_name, bio, role, private, presence, avatar_sha256,
    settings, followers, following, photos, last_seen_at, created_at, deleted_at, erased_at, erasure_queued_at)
SELECT id, CASE WHEN n % 10 = 0 THEN 'UsEr_' || n + 2 ELSE 'UsEr_' || n END,
    CASE WHEN n % 10 < 2 THEN '' ELSE 'User' || n || '@Example.ORG' END, 'hash ' || n, 'Ünï ' || n,
    repeat('b', n % 70), CASE WHEN n % 50 = 5 THEN 'moderator' ELSE 'user' END, n % 10 = 2,
    CASE n % 4 WHEN 0 THEN 'nobody' ELSE 'followers' END,
    CASE WHEN n % 3 = 0 THEN encode(sha256(n::text::bytea), 'hex') END, jsonb_build_object('theme', n),
    n % 5, n % 7, 2,
    at + interval '3 days', at, CASE WHEN n % 10 < 2 THEN at + interval '9 days' END,
    CASE WHEN n % 10 = 1 THEN at + interval '39 days' END, CASE WHEN n % 20 = 0 THEN at + interval '10 days' END
FROM account;
INSERT INTO sessions (id, user_id, created_at, revoked_at, rotated_at, rotated_by)
SELECT md5('s' || n || k)::uuid, id, at, CASE WHEN k = 1 THEN at + interval '1 day' END, at, sha256('agent')
FROM account, generate_series(0, 1) AS k;
INSERT INTO refresh_tokens (token_sha256, session_id, expires_at, used_at)
SELECT sha256(('t' || n || k)::bytea), md5('s' || n || 0)::uuid, at + interval '90 days',
    CASE WHEN k = 0 THEN at END
FROM account, generate_series(0, 2) AS k;
INSERT INTO follows (follower_id, followee_id, created_at)
SELECT id, pg_temp.u(n + k), at + k * interval '1 second' FROM account, generate_series(1, 4) AS k;
INSERT INTO follow_requests (follower_id, followee_id, created_at)
SELECT id, pg_temp.u(n + 9), at FROM account WHERE n % 3 = 0;
INSERT INTO blocks (blocker_id, blocked_id, created_at)
SELECT id, pg_temp.u(n + k), at FROM account, generate_series(5, 6) AS k WHERE n % 2 = 0
UNION ALL SELECT pg_temp.u(n + 5), id, at + interval '1 hour' FROM account WHERE n % 4 = 0;
INSERT INTO mutes (muter_id, muted_id, created_at)
SELECT id, pg_temp.u(n + 7), at FROM account UNION ALL SELECT pg_temp.u(n + 7), id, at FROM account WHERE n % 2 = 0;
INSERT INTO photos (id, author_id, state, reason, sha256, content_type, bytes, width, height, placeholder, caption,
    alt_text, tags, location, likes, comments, version, created_at, deleted_at)
SELECT id, pg_temp.u(n / 2), (ARRAY['ready', 'ready', 'processing', 'rejected', 'hidden'])[1 + n % 5],
    CASE WHEN n % 5 = 3 THEN 'not an image' END, encode(sha256((n % 777)::text::bytea), 'hex'), 'image/jpeg', n, 640,
    427, CASE WHEN n % 5 = 0 THEN 'aGFzaA' END, 'caption ' || n, '', jsonb_build_array('tag' || n % 9), NULL, 2, 1, n,
    at, CASE WHEN n % 10 = 9 THEN at + interval '1 day' END
FROM photo;
INSERT INTO photo_tags (tag, photo_id) SELECT 'tag' || n % 9, id FROM photo;
INSERT INTO photo_exif (photo_id, exif) SELECT id, jsonb_build_object('Model', n) FROM photo WHERE n % 3 = 0;
INSERT INTO likes (photo_id, user_id, version, created_at)
SELECT id, pg_temp.u(n + k), k, at FROM photo, generate_series(1, 2) AS k;
INSERT INTO comments (id, photo_id, author_id, author_username, author_name, author_avatar, text, created_at,
    deleted_at)
SELECT id + (1 << 30), id, pg_temp.u(n + 3), 'UsEr_' || n + 3, 'Ünï', NULL, 'text ' || n, at,
    CASE WHEN n % 11 = 0 THEN at END
FROM photo;
INSERT INTO notifications (id, user_id, kind, photo_id, position, people, version, created_at, updated_at, seen_at,
    read_at, deleted_at, closed_at, silent, newest_actors)
SELECT id + (1 << 29), pg_temp.u(n / 2), 'like', id, id, 2, n, at, at, CASE WHEN n % 2 = 0 THEN at END,
    CASE WHEN n % 4 = 0 THEN at END, CASE WHEN n % 8 = 0 THEN at END, CASE WHEN n % 6 = 0 THEN at END, n % 7 = 0,
    ARRAY[pg_temp.u(n + 1), pg_temp.u(n + 2)]
FROM photo;
INSERT INTO notification_actors (notification_id, actor_id, source_id, created_at, retracted_at)
SELECT id + (1 << 29), pg_temp.u(n + k), id, at, CASE WHEN n % 5 = k THEN at END
FROM photo, generate_series(1, 2) AS k;
INSERT INTO waiting_activities (recipient_id, operation, kind, actor_id, photo_id, source_id, created_at)
SELECT pg_temp.u(n / 2), 'record', 'like', CASE WHEN n % 20 > 0 THEN pg_temp.u(n + 1) END, id, id, at
FROM photo WHERE n % 10 = 0;
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, response, created_at)
SELECT id, 'key ' || n, md5(n::text), 201, convert_to('{"n": ' || n || '}', 'utf8'), at FROM account;
INSERT INTO outbox (queue, event_id, topic, key, body, headers, attempts, last_error, available_at, created_at)
SELECT 'media', md5('e' || n)::uuid, 'photo.uploaded', id::text, 'body', '{"request_id": "r"}', n % 3, NULL, at, at
FROM account;
INSERT INTO dead_letters (id, queue, event_id, topic, key, body, headers, attempts, last_error, created_at, died_at)
SELECT 1000000 + n, 'media', md5('d' || n)::uuid, 'photo.uploaded', id::text, 'body', '{}', 7, 'error', at, at
FROM account WHERE n % 100 = 0;
INSERT INTO contents (sha256, size, content_type, state, created_at, deleting_since)
SELECT encode(sha256(n::text::bytea), 'hex'), n, 'image/jpeg', CASE n % 3 WHEN 0 THEN 'deleting' ELSE 'stored' END,
    timestamptz '2026-02-01', CASE n % 3 WHEN 0 THEN timestamptz '2026-02-02' END
FROM generate_series(0, 776) AS n;
INSERT INTO content_leases (sha256, expires_at)
SELECT encode(sha256(n::text::bytea), 'hex'), timestamptz '2026-02-03' FROM generate_series(0, 50) AS n;
"""

# table -> the column whose low ten bits are the shard
_OWNERS = {
    "users": "id", "sessions": "user_id", "follow_requests": "followee_id", "photos": "id", "photo_tags": "photo_id",
    "photo_exif": "photo_id", "likes": "photo_id", "comments": "id", "notifications": "id",
    "notification_actors": "notification_id", "waiting_activities": "recipient_id", "idempotency_keys": "user_id",
    "outbox": "id", "dead_letters": "id",
}  # fmt: skip
_UNCHANGED = ("contents", "content_leases")
_DERIVED = ("refresh_tokens", "usernames", "emails", "inboxes", "following", "followers", "blocks", "mutes")
SHARDED = (*_OWNERS, "refresh_tokens")  # tables that get the column
TABLES = (*_OWNERS, *_UNCHANGED, *_DERIVED)


def migrations_until(folder: Path, last: str) -> Path:
    """Copy the migrations up to the number `last` into a folder."""
    for path in sorted(FOLDER.glob("*.sql")):
        if path.stem[:4] <= last:
            shutil.copy(path, folder)
    return folder


async def create(dsn: str, folder: Path, *, users: int) -> None:
    """Make an installation with so many accounts in an empty database; `folder` is for copies of migrations."""
    await migrate(dsn, folder=migrations_until(folder, "0008"))
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"SET test.users = {users}")
    await connection.execute(_POPULATION)
    await connection.close()


async def expected(connection: Any) -> Mapping[str, Rows]:
    """Return the rows that each table has to have after the migrations, from the tables before them."""
    found = {table: await _dicts(connection, table) for table in (*_OWNERS, *_UNCHANGED)}
    for table, owner in _OWNERS.items():
        found[table] = [{**row, "shard": row[owner] & 1023} for row in found[table]]
    users_of = {row["id"]: row["user_id"] for row in found["sessions"]}
    found["refresh_tokens"] = [
        {**row, "shard": users_of[row["session_id"]] & 1023} for row in await _dicts(connection, "refresh_tokens")
    ]
    named = [row for row in found["users"] if row["deleted_at"] is None]
    found["usernames"] = [{"username": row["username"], "user_id": row["id"]} for row in named]
    found["emails"] = [{"email": row["email"], "user_id": row["id"]} for row in named]
    found["inboxes"] = [{"shard": row["id"] & 1023, "user_id": row["id"]} for row in found["users"]]
    follows = await _dicts(connection, "follows")
    found["following"] = [{**row, "shard": row["follower_id"] & 1023} for row in follows]
    found["followers"] = [{**row, "shard": row["followee_id"] & 1023} for row in follows]
    found["blocks"] = _sides(await _dicts(connection, "blocks"), "blocker_id", "blocked_id")
    found["mutes"] = _sides(await _dicts(connection, "mutes"), "muter_id", "muted_id")
    return {table: _sorted(rows) for table, rows in found.items()}


async def actual(connection: Any) -> Mapping[str, Rows]:
    """Return the rows of each table."""
    return {table: _sorted(await _dicts(connection, table)) for table in TABLES}


def _sides(rows: Sequence[Mapping[str, Any]], owner: str, other: str) -> list[dict[str, Any]]:
    return [
        {
            "shard": row[mine] & 1023,
            "owner_id": row[mine],
            "other_id": row[theirs],
            "outgoing": mine == owner,
            "created_at": row["created_at"],
        }
        for row in rows
        for mine, theirs in ((owner, other), (other, owner))
    ]


async def _dicts(connection: Any, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(f"TABLE {table}")]


def _sorted(rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Return rows as tuples of the values in the order of their columns' names, sorted."""
    return sorted((tuple(row[name] for name in sorted(row)) for row in rows), key=repr)
