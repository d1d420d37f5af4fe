"""Query plans of the reads whose cost must not grow with the size of the system."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from storage.ids import MAX_ID
from storage.models import CommentOrder
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database, Queryable
from storage.stores.comments import comment_lists
from storage.stores.comments.comment_lists import Place
from storage.stores.notifications import notification_actors, notifications
from storage.stores.notifications.notification_lookup import look_up
from storage.stores.photos import list_photos, photo_lists
from storage.stores.social import follows, list_members
from tests.support.community import record_notification, retract_notification

pytestmark = [pytest.mark.engines, pytest.mark.fresh_database]

USERS, PHOTOS_EACH, FOLLOWED = 1000, 20, 300  # a user's shard is the user's id
FOLLOWS = """
    WITH pairs AS ({pairs}),
    sides AS (INSERT INTO following (shard, follower_id, followee_id) SELECT a, a, b FROM pairs)
    INSERT INTO followers (shard, followee_id, follower_id) SELECT b, b, a FROM pairs"""


@pytest.fixture
async def populated(database: Database) -> Database:
    """A database of a thousand users: user 1 follows 300 of them, and all follow user 2."""
    async with database.transaction() as tx:
        await tx.execute(
            "INSERT INTO users (shard, id, username, email, password_hash, display_name) "
            "SELECT i, i, 'u' || i, 'u' || i, '', '' FROM generate_series(1, $1::integer) AS i",
            USERS,
        )
        await tx.execute(
            "INSERT INTO photos (shard, id, author_id, state, sha256, content_type, bytes, width, height) "
            "SELECT a, i * 1024 + a, a, 'ready', repeat('a', 64), 'image/jpeg', 1, 1, 1 "
            "FROM generate_series(1, $2::integer) AS i, "
            "LATERAL (SELECT CASE WHEN i % 10 = 0 THEN 5 ELSE 1 + i % $1::integer END AS a) AS author",
            USERS,
            USERS * PHOTOS_EACH,
        )
        await tx.execute(FOLLOWS.format(pairs="SELECT 1 AS a, i AS b FROM generate_series(3, $1) AS i"), FOLLOWED + 2)
        await tx.execute(FOLLOWS.format(pairs="SELECT i AS a, 2 AS b FROM generate_series(3, $1) AS i"), USERS)
    for table in ("users", "photos", "following", "followers", "mutes", "blocks"):
        await database.fetchval(f"VACUUM ANALYZE {table}")
    return database


class Explaining:
    """A `Queryable` that explains each query and keeps the plan; single rows are not returned."""

    def __init__(self, database: Queryable) -> None:
        self._database = database
        self.nodes: list[dict[str, Any]] = []

    async def fetch(self, sql: str, *args: object) -> Any:
        """Explain a query, and return its rows."""
        await self.fetchrow(sql, *args)
        return await self._database.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """Explain, and return nothing."""
        plan = await self._database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *args)
        self._walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return []

    fetchval = fetchrow

    async def execute(self, sql: str, *args: object) -> int:
        """Do nothing: what is explained here only looks."""
        return 0

    def scans(self, table: str) -> list[dict[str, Any]]:
        """Return the nodes that read a table."""
        return [node for node in self.nodes if node.get("Relation Name") == table]

    def _walk(self, node: dict[str, Any]) -> None:
        self.nodes.append(node)
        for child in node.get("Plans", ()):
            self._walk(child)


@pytest.mark.parametrize("before", [None, 10_000 * 1024])
async def test_home_feed_reads_an_index_for_each_author(populated: Database, before: int | None) -> None:
    """A home feed of 300 authors reads at most a page of each from the index, and no other photo."""
    explained = Explaining(populated)
    await photo_lists.home_ids(explained, 1, before=before, limit=20)
    (scan,) = explained.scans("photos")
    assert scan["Index Name"] == "photos_by_author"
    assert scan["Actual Rows"] <= 20
    assert scan["Actual Loops"] == FOLLOWED + 1


@pytest.mark.parametrize("before", [None, 10_000 * 1024])
async def test_a_full_list_reads_an_index_for_each_account(populated: Database, before: int | None) -> None:
    """A page of a list of 500 accounts reads at most a page of each from the index, however many photos they have."""
    list_id = 1024 + 1  # of user 1
    async with populated.transaction() as tx:
        await tx.execute("INSERT INTO lists (shard, id, owner_id, title) VALUES (1, $1, 1, '')", list_id)
        await tx.execute(
            "INSERT INTO list_members (shard, list_id, account_id, owner_id) "
            "SELECT 1, $1, i, 1 FROM generate_series(2, $2::integer + 1) AS i",
            list_id,
            list_members.MAX,
        )
        # Every fourth photo is for others, and the accounts have 60 photos each, one of them 2,000.
        await tx.execute("UPDATE photos SET audience = 'close_friends' WHERE (id >> 10) % 4 = 0")
        await tx.execute(
            "INSERT INTO photos (shard, id, author_id, state, sha256, content_type, bytes, width, height) "
            "SELECT a, i * 1024 + a, a, 'ready', repeat('a', 64), 'image/jpeg', 1, 1, 1 "
            "FROM generate_series(30001, 30040) AS i, generate_series(1, $1::integer) AS a",
            USERS,
        )
    for table in ("photos", "lists", "list_members"):
        await populated.fetchval(f"VACUUM ANALYZE {table}")
    explained = Explaining(populated)
    found = await list_photos.page(explained, list_id, owner_id=1, before=before, limit=21)
    assert len(found) == 21
    (scan,) = [scan for scan in explained.scans("photos") if scan.get("Index Name") == "photos_by_author"]
    assert scan["Actual Loops"] == list_members.MAX
    assert scan["Actual Rows"] <= 21
    assert scan.get("Rows Removed by Filter", 0) <= 21
    others = [other for other in explained.scans("photos") if other is not scan]
    assert sum(other["Actual Rows"] * other["Actual Loops"] for other in others) <= 21
    assert sum(other.get("Rows Removed by Filter", 0) * other["Actual Loops"] for other in others) == 0
    (members,) = explained.scans("list_members")
    assert members["Actual Rows"] * members["Actual Loops"] == list_members.MAX


@pytest.mark.parametrize("name", ["newest", "by_author"])
async def test_lists_stop_at_their_limit(populated: Database, name: str) -> None:
    """A list reads one page from an index in its order, instead of sorting all photos."""
    explained = Explaining(populated)
    if name == "newest":
        await photo_lists.newest(explained, viewer_id=1, before=None, limit=20)
    else:
        await photo_lists.by_author(explained, 5, viewer_id=1, before=None, limit=20)
    (scan,) = explained.scans("photos")
    assert "Index" in scan["Node Type"]
    assert scan["Actual Rows"] * scan["Actual Loops"] <= 40


@pytest.mark.parametrize("order", list(CommentOrder))
async def test_a_page_of_comments_is_read_from_the_index_of_its_order(populated: Database, order: CommentOrder) -> None:
    """Neither older comments nor replies are read, at the beginning and in the middle of a long list."""
    photo_id = 1024 + 2  # of user 2
    async with populated.transaction() as tx:
        await tx.execute(
            "INSERT INTO comments "
            "(shard, id, photo_id, author_id, text, author_username, author_name, likes, reply_to) "
            "SELECT 2, i * 1024 + 2, $1, 3, '', '', '', i % 7, CASE WHEN i % 3 = 0 THEN NULL ELSE 3 * 1024 + 2 END "
            "FROM generate_series(3, 6000) AS i",
            photo_id,
        )
    await populated.fetchval("VACUUM ANALYZE comments")
    for after in (None, Place(None, 3, 3000 * 1024)):
        explained = Explaining(populated)
        await comment_lists.page(explained, photo_id, viewer_id=1, order=order, after=after, limit=20)
        scans = explained.scans("comments")
        assert {scan.get("Index Name") for scan in scans} <= {
            f"comments_{order}", "comments_pinned", "comments_replies",
        }  # fmt: skip
        assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) <= 25
        assert sum(scan.get("Rows Removed by Filter", 0) for scan in scans) <= 25


async def test_fanout_reads_a_range_of_one_index(populated: Database) -> None:
    """A chunk of followers is read from the index in its order, without a sort."""
    explained = Explaining(populated)
    await follows.follower_ids(explained, 2, after=(10, 0), until=(400, MAX_ID), limit=100)
    (scan,) = explained.scans("followers")
    assert scan["Index Name"] == "followers_fanout"
    assert not any(node["Node Type"] == "Sort" for node in explained.nodes)


async def test_an_activity_is_looked_up_in_a_full_inbox(populated: Database) -> None:
    """Recording an activity reads only the entries of its group."""
    async with populated.transaction() as tx:
        await tx.execute(
            "INSERT INTO notifications (shard, id, user_id, kind, photo_id, position, people, read_at) "
            "SELECT 1, i * 1024 + 1, 1, 'like', i, i, 1, CASE WHEN i % 2 = 0 THEN now() END "
            "FROM generate_series(1, 5000) AS i"
        )
        await tx.execute(
            "INSERT INTO notification_actors (shard, notification_id, actor_id, source_id) "
            "SELECT 1, i * 1024 + 1, 2 + i % 500, i FROM generate_series(1, 5000) AS i"
        )
    for table in ("notifications", "notification_actors"):
        await populated.fetchval(f"VACUUM ANALYZE {table}")
    async with populated.transaction() as tx:
        explained = Explaining(tx)
        for photo_id in (4000, 6000):
            activity = Activity(
                recipient_id=1, kind=NotificationKind.LIKE, actor_id=2, photo_id=photo_id, source_id=photo_id
            )
            # EXPLAIN returns no row, which ends the call with a TypeError.
            with suppress(TypeError):
                await look_up(explained, activity)  # type: ignore[arg-type]
    scans = [*explained.scans("notifications"), *explained.scans("notification_actors")]
    assert len(scans) == 12
    assert sum(scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) for scan in scans) < 10


async def test_a_rare_kind_is_read_in_a_full_inbox(populated: Database) -> None:
    """A page of some kinds reads a page of each kind, and not the entries of others; the counters read no rows."""
    async with populated.transaction() as tx:
        await tx.execute(
            "INSERT INTO notifications (shard, id, user_id, kind, photo_id, position, people, newest_actors, read_at) "
            "SELECT 1, i * 1024 + 1, 1, CASE WHEN i % 1000 = 7 THEN 'mention' ELSE 'like' END, i, i, 1, ARRAY[2], "
            "CASE WHEN i % 100 <> 7 THEN now() END FROM generate_series(1, 5000) AS i"
        )
    await populated.fetchval("VACUUM ANALYZE notifications")
    explained = Explaining(populated)
    with suppress(IndexError):  # EXPLAIN returns no counters
        await notifications.first_page(
            explained, 1, limit=3, kinds=[NotificationKind.MENTION, NotificationKind.FOLLOW_REQUEST]
        )
    scans = explained.scans("notifications")
    by_kind = [scan for scan in scans if scan["Index Name"] == "notifications_kinds"]
    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in by_kind) <= 6
    (counted,) = [scan for scan in scans if scan["Index Name"] == "notifications_counters"]
    assert (counted["Node Type"], len(scans)) == ("Index Only Scan", len(by_kind) + 1)


READ = "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE relname LIKE 'notification%'"


async def test_an_activity_in_a_group_of_thousands_reads_a_few_rows(populated: Database) -> None:
    """Recording, retracting, restoring and removing an activity of a popular photo does not read the other actors."""
    people = 20_000
    async with populated.transaction() as tx:
        await tx.execute(
            "INSERT INTO users (shard, id, username, email, password_hash, display_name) "
            "SELECT i & 1023, i, 'u' || i, 'u' || i, '', '' FROM generate_series($1::integer + 1, $2::integer) AS i",
            USERS,
            people,
        )
        await tx.execute(
            "INSERT INTO notifications (shard, id, user_id, kind, photo_id, position, people, newest_actors) "
            "VALUES (1, 1, 1, 'like', 7, 1, $1 - 2, ARRAY[$1, $1 - 1, $1 - 2])",
            people,
        )
        await tx.execute(
            "INSERT INTO notification_actors (shard, notification_id, actor_id, source_id, created_at) "
            "SELECT 1, 1, i, 7, now() - make_interval(secs => $1 - i) FROM generate_series(3, $1::integer) AS i",
            people,
        )
    for table in ("users", "notifications", "notification_actors"):
        await populated.fetchval(f"VACUUM ANALYZE {table}")
    like: dict[str, Any] = {"recipient_id": 1, "kind": NotificationKind.LIKE, "photo_id": 7, "source_id": 7}
    shown = []
    async with populated.transaction() as tx:
        before = await tx.fetchval(READ)
        await record_notification(tx, actor_id=2, **like)
        shown.append(await actors(tx))
        for retracted in (2, people - 1, 1000):
            await retract_notification(tx, actor_id=retracted, **like)
            shown.append(await actors(tx))
        await record_notification(tx, actor_id=people - 1, **like)
        shown.append(await actors(tx))
        await notification_actors.retract_actor(tx, recipient_id=1, actor_id=people, entry_ids=[1])
        shown.append(await actors(tx))
        read = await tx.fetchval(READ) - before
    assert shown == [
        (people - 1, [2, people, people - 1]),
        (people - 2, [people, people - 1, people - 2]),
        (people - 3, [people, people - 2, people - 3]),
        (people - 4, [people, people - 2, people - 3]),
        (people - 3, [people, people - 1, people - 2]),
        (people - 4, [people - 1, people - 2, people - 3]),
    ]
    assert read < 150


async def actors(db: Queryable) -> tuple[int, list[int]]:
    """Return the number of actors of user 1's entry, and the newest ones, as the inbox shows them."""
    entry = (await notifications.inbox_state(db, 1, 1)).entry
    assert entry is not None
    return entry.count, [actor.id for actor in entry.actors]
