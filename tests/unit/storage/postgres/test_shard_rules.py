"""Each rule for statements on a cluster finds its violation, and accepts what the product needs."""

from __future__ import annotations

import pytest

from tests.support.shard_rules import faults

WORDS = {
    "#1": "($1::bigint & 1023)::integer",
    "#2": "($2::bigint & 1023)::integer",
    "#photos": "photos p JOIN users a ON a.id = p.author_id AND a.shard = p.shard",
    "#all": "/* all shards: tested */",
}


def written(sql: str) -> str:
    """Return the statement of an example."""
    for word, text in WORDS.items():
        sql = sql.replace(word, text)
    return sql


@pytest.mark.parametrize(
    "sql",
    [
        # One shard, named in each level.
        "SELECT a.id FROM users a WHERE a.shard = #1 AND a.id = $1",
        "SELECT id FROM users WHERE id = $1 AND #1 = shard FOR UPDATE",
        "SELECT 1 FROM #photos WHERE p.shard = #1 AND p.id = $1 FOR NO KEY UPDATE OF p",
        "SELECT EXISTS (SELECT 1 FROM likes l WHERE l.shard = #1 AND l.photo_id = p.id) AS liked "
        "FROM #photos WHERE p.shard = #1 AND p.id = $1",
        "SELECT 1 FROM photos p LEFT JOIN photo_exif e ON e.photo_id = p.id AND e.shard = #1 WHERE p.shard = #1",
        "SELECT n.id FROM (SELECT id FROM notifications WHERE shard = #1 AND user_id = $1 LIMIT 9) AS n",
        "SELECT 1 FROM blocks WHERE shard = #1 UNION ALL SELECT 1 FROM mutes WHERE shard = #1",
        "SELECT queue, count(*) AS depth FROM outbox WHERE shard = #1 GROUP BY queue",
        "SELECT user_id FROM usernames WHERE username = $1::text::citext",
        "SELECT 1 FROM contents c JOIN content_leases l ON l.sha256 = c.sha256 WHERE c.sha256 = $1 FOR UPDATE OF c",
        "SELECT 1 FROM leases WHERE name = 'relay' FOR UPDATE SKIP LOCKED",
        "SELECT pg_notify($1, queue) FROM unnest($2::text[]) AS queue",
        "SELECT user_id, max(created_at) FROM likes WHERE shard = #1 GROUP BY user_id",
        "SELECT 1 FROM photos WHERE shard = #1 AND EXISTS (SELECT 1 FROM likes WHERE shard = #1 AND photo_id = $2)",
        "SELECT 1 FROM photos WHERE shard = #1 AND shard = ANY($2)",
        # A list of shards.
        "SELECT id FROM users WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[])",
        "SELECT 1 FROM #photos WHERE p.shard = ANY($1) AND EXISTS (SELECT 1 FROM likes l WHERE l.shard = p.shard)",
        "SELECT n.id FROM users a CROSS JOIN LATERAL (SELECT p.id FROM photos p WHERE p.shard = a.shard "
        "AND p.author_id = a.id ORDER BY p.id DESC LIMIT $3) AS n WHERE a.shard = ANY($1) AND a.id = ANY($2)",
        "UPDATE users SET followers = followers - 1 WHERE shard = ANY($1) AND id = ANY($2)",
        "SELECT p.id FROM unnest($1::bigint[]) AS x (id) JOIN photos p ON p.id = x.id WHERE p.shard = ANY($2)",
        # Inserts.
        "INSERT INTO likes (shard, photo_id, user_id) VALUES (#1, $1, $2) "
        "ON CONFLICT (photo_id, user_id, shard) DO NOTHING RETURNING version",
        "INSERT INTO inboxes (shard, user_id) VALUES (#1, $1) ON CONFLICT DO NOTHING",
        "INSERT INTO usernames AS n (username, user_id) VALUES ($1, $2) "
        "ON CONFLICT (username) DO UPDATE SET user_id = excluded.user_id",
        "INSERT INTO photo_tags (shard, photo_id, tag) SELECT #1, $1, tag FROM unnest($2::text[]) AS tag",
        "INSERT INTO followers (shard, followee_id, follower_id) SELECT r.shard, r.followee_id, r.follower_id "
        "FROM follow_requests r WHERE r.shard = #1",
        "INSERT INTO outbox (shard, id, available_at) VALUES (#1, $1, clock_timestamp() + make_interval(secs => $2))",
        # Changes.
        "UPDATE photos SET deleted_at = now(), version = version + 1 WHERE shard = #1 AND created_at < now() - $2",
        "UPDATE users SET bio = coalesce($2, bio) WHERE shard = #1 AND last_seen_at < now() - interval '1 hour'",
        "WITH gone AS (DELETE FROM likes WHERE shard = #1 AND user_id = $2 RETURNING photo_id) "
        "UPDATE photos p SET likes = p.likes - 1 FROM gone WHERE p.shard = #1 AND p.id = gone.photo_id",
        "WITH one AS (DELETE FROM following WHERE shard = #1) DELETE FROM followers WHERE shard = #2",
        "WITH RECURSIVE t AS (SELECT id FROM users WHERE shard = #1 UNION SELECT id FROM t) SELECT id FROM t",
        # All shards, and what no server of a cluster runs.
        "#all SELECT p.id FROM #photos WHERE p.sha256 = $1",
        "#all DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval",
        "#all SELECT id FROM photos WHERE id IN (SELECT photo_id FROM photo_tags WHERE tag = $1)",
        "#all SELECT EXISTS (SELECT 1 FROM users LIMIT 1)",
        "#all SELECT 1 FROM photos p WHERE EXISTS (SELECT 1 FROM likes l WHERE l.shard = p.shard AND user_id = $1)",
        "#all SELECT queue, count(*) AS n FROM outbox GROUP BY 1",
        "/* one server: the embedded broker */ SELECT id FROM outbox WHERE queue = $1 FOR UPDATE SKIP LOCKED",
        "BEGIN; SET LOCAL lock_timeout = 1; LISTEN a; COMMIT",
    ],
)
def test_what_is_accepted(sql: str) -> None:
    """Statements about one shard, or a list of them; stated exceptions; what concerns no distributed table."""
    assert faults(written(sql)) == []


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        # The shard of each table, in each level.
        ("SELECT id FROM users WHERE id = $1", "users: its shard is not named"),
        ("SELECT id FROM users WHERE shard = #1 OR id = $1", "users: its shard is not named"),
        ("SELECT id FROM users WHERE shard = id & 1023", "users: its shard is not named"),
        ("SELECT id FROM users WHERE shard = (SELECT min(x) FROM unnest($1::int[]) AS x)", "users: its shard"),
        ("SELECT 1 FROM photos p JOIN users a ON a.id = p.author_id WHERE p.shard = #1", "users: its shard"),
        (
            "SELECT 1 FROM photos p WHERE p.shard = #1 AND EXISTS (SELECT 1 FROM likes l WHERE l.photo_id = p.id)",
            "l",
        ),
        (
            "SELECT 1 FROM photos p WHERE p.shard = #1 AND EXISTS (SELECT 1 FROM likes l WHERE l.shard = p.shard)",
            "not again by the parameter",
        ),
        ("SELECT (SELECT count(*) FROM likes) FROM photos p WHERE p.shard = #1", "likes: its shard"),
        ("SELECT 1 FROM blocks b, mutes m WHERE b.shard = #1 AND m.shard = #2", "several shards at once"),
        (
            "SELECT 1 FROM blocks WHERE shard = #1 UNION ALL SELECT 1 FROM mutes WHERE shard = #2",
            "several shards",
        ),
        ("SELECT 1 FROM blocks b, mutes m WHERE b.shard = #1 AND m.shard = ANY($2)", "one shard and a list"),
        ("SELECT 1 FROM photos p, users a WHERE p.shard = ANY($1) AND a.shard = ANY($1)", "not joined by their shards"),
        (
            "SELECT 1 FROM photos p WHERE p.shard = ANY($1) "
            "AND EXISTS (SELECT 1 FROM likes l WHERE l.shard = ANY($1) AND l.photo_id = p.id)",
            "does not compare the shards",
        ),
        (
            "SELECT 1 FROM unnest($1::bigint[]) AS x (id), LATERAL (SELECT 1 FROM photos WHERE author_id = x.id) AS y",
            "photos: its shard",
        ),
        (
            "SELECT 1 FROM unnest($1::bigint[]) AS x (id) LEFT JOIN photos p ON p.id = x.id AND p.shard = ANY($2)",
            "an outer join",
        ),
        (
            "WITH t AS (SELECT id FROM users WHERE id = $1) SELECT id FROM photos WHERE shard = #1",
            "users: its shard",
        ),
        (
            "SELECT 1 FROM photos p JOIN contents c ON c.sha256 = p.sha256 WHERE p.shard = #1 AND c.sha256 = $2",
            "dif",
        ),
        ("SELECT 1 FROM content_leases WHERE id = $1", "content_leases: its sha256"),
        ("SELECT 1 FROM follows WHERE follower_id = $1", "the table follows is not known"),
        ("UPDATE users SET photos = photos + 1 WHERE id = $1", "users: its shard"),
        ("DELETE FROM outbox WHERE id = ANY($1)", "outbox: its shard"),
        (
            "WITH gone AS (DELETE FROM likes WHERE shard = #1 RETURNING photo_id) "
            "UPDATE photos p SET likes = p.likes - 1 FROM gone WHERE p.id = gone.photo_id",
            "photos: its shard",
        ),
        ("SELECT id FROM users WHERE shard = ANY(ARRAY[id])", "users: its shard"),
        ("SELECT 1 FROM photos p WHERE EXISTS (SELECT 1 FROM likes l WHERE l.shard = p.shard)", "likes: its shard"),
        # Inserts.
        ("INSERT INTO sessions (shard, created_at) VALUES (#1, coalesce($2, now()))", "CASE and COALESCE"),
        ("INSERT INTO users AS a (id, username) VALUES ($1, $2) RETURNING a.id", "does not write shard"),
        (
            "INSERT INTO photo_tags (photo_id, tag) SELECT $1, tag FROM unnest($2::text[]) AS tag",
            "does not write shard",
        ),
        ("INSERT INTO photos (shard, id) SELECT #1, $1 FROM users a WHERE a.id = $2", "users: its shard"),
        ("INSERT INTO photos (shard, id) VALUES (#1, $1) ON CONFLICT (id) DO NOTHING", "does not contain shard"),
        ("INSERT INTO users (shard, id) VALUES (#1, (SELECT max(id) FROM leases))", "VALUES contains a subquery"),
        (
            "INSERT INTO likes (shard, photo_id) VALUES (#1, $1) RETURNING (SELECT 1 FROM leases)",
            "RETURNING of an INSERT contains a subquery",
        ),
        (
            "INSERT INTO inboxes AS i (shard, user_id) VALUES (#1, $1) "
            "ON CONFLICT (user_id, shard) DO UPDATE SET user_id = (SELECT 1)",
            "ON CONFLICT contains a subquery",
        ),
        (
            "INSERT INTO sessions (shard, id) VALUES (#1, $1) ON CONFLICT (id, shard) DO UPDATE SET revoked_at = now()",
            "now() is not immutable, which ON CONFLICT",
        ),
        (
            "INSERT INTO inboxes (shard, user_id) VALUES (#1, $1) ON CONFLICT (user_id, shard) DO UPDATE SET shard = 1",
            "ON CONFLICT cannot change shard",
        ),
        ("INSERT INTO sessions (shard, id) VALUES (#1, $1) RETURNING now()", "which RETURNING does not allow"),
        ("UPDATE users SET shard = 1 WHERE shard = #1", "UPDATE cannot change shard"),
        # Empty lists, functions, groups.
        ("SELECT EXISTS (SELECT FROM users a WHERE a.shard = #1)", "the list of SELECT is empty"),
        ("UPDATE outbox SET available_at = clock_timestamp() WHERE shard = #1", "is volatile"),
        ("DELETE FROM sessions WHERE shard = #1 AND id = gen_random_uuid()", "is volatile"),
        ("UPDATE notifications SET seen_at = coalesce(seen_at, now()) WHERE shard = #1", "CASE and COALESCE"),
        ("UPDATE users SET erased_at = CASE WHEN $2 THEN now() END WHERE shard = #1", "CASE and COALESCE"),
        ("UPDATE users SET erased_at = CASE WHEN $2 THEN current_timestamp END WHERE shard = #1", "CASE and"),
        ("DELETE FROM sessions WHERE shard = #1 AND created_at + $2::interval < now()", "gets a column"),
        (
            "DELETE FROM sessions WHERE shard = #1 AND created_at < now() - rank * interval '1 s' - x",
            "gets a column",
        ),
        ("DELETE FROM sessions WHERE shard = #1 AND extract(epoch FROM created_at) < $2", "gets a column"),
        ("DELETE FROM sessions WHERE shard = #1 RETURNING now()", "which RETURNING does not allow"),
        ("UPDATE users SET bio = initcap(bio) WHERE shard = #1", "initcap() is not known"),
        ("SELECT a.username FROM users a WHERE a.shard = #1 GROUP BY a.id", "GROUP BY does not name a.username"),
        # Locks.
        ("SELECT id FROM users WHERE shard = ANY($1) AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE", "need one shard"),
        ("SELECT 1 FROM photos p WHERE p.shard = ANY($1) FOR SHARE SKIP LOCKED", "need one shard"),
        ("#all SELECT id FROM outbox ORDER BY id LIMIT 9 FOR UPDATE SKIP LOCKED", "need one shard"),
        ("#all UPDATE users SET bio = '' WHERE id IN (SELECT id FROM users LIMIT 9 FOR UPDATE)", "need one shard"),
        ("SELECT pg_advisory_xact_lock($1)", "is known to one server only"),
        ("SELECT pg_try_advisory_lock($1, $2)", "is known to one server only"),
        # Scatters have rules, too.
        ("#all SELECT 1 FROM photos p JOIN users a ON a.id = p.author_id", "not joined by their shards"),
        (
            "#all SELECT 1 FROM photos p WHERE EXISTS (SELECT 1 FROM likes l WHERE l.photo_id = p.id)",
            "does not compare the shards",
        ),
        ("#all SELECT EXISTS (SELECT 1 FROM users)", "needs LIMIT 1"),
        ("#all INSERT INTO photos (id) SELECT id FROM photos", "does not write shard"),
        ("#all UPDATE outbox SET available_at = clock_timestamp()", "is volatile"),
        ("#all SELECT id FROM users WHERE shard = #1", "is not needed"),
        ("/* one server: x */ SELECT 1", "is not needed"),
        ("/* all shards: */ SELECT id FROM users", "users: its shard"),
        ("/* some shards: x */ SELECT id FROM users", "users: its shard"),
        (
            "WITH RECURSIVE t AS (SELECT id FROM users WHERE shard = ANY($1) UNION SELECT id FROM t) "
            "SELECT id FROM users WHERE shard = ANY($1)",
            "WITH RECURSIVE needs one shard",
        ),
        ("MERGE INTO users u USING leases l ON false WHEN MATCHED THEN DELETE", "MERGE is not known"),
    ],
)
def test_what_is_refused(sql: str, part: str) -> None:
    """Statements that a cluster refuses, or sends to more servers than they need."""
    found = faults(written(sql))
    assert any(part in fault for fault in found), found
