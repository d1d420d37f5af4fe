"""The statements about the outbox: each concerns the rows that it names, and no others."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from storage.errors import ConflictError
from storage.events import LikeAdded, SessionEnded
from storage.ids import IdGenerator
from storage.postgres import outbox
from storage.postgres.database import Database
from tests.support.eventually import DEADLINE

pytestmark = pytest.mark.engines


async def _add(database: Database, *rows: tuple[str, float], queue: str = "notify") -> dict[str, int]:
    """Insert rows of (key, seconds until they are due), in this order; return their ids by key.

    Two of three are in one shard, so that a statement that forgets the id finds another row.
    """
    ids, added = IdGenerator(), {}
    for (key, due), shard in zip(rows, itertools.cycle((7, 7, 8)), strict=False):
        added[key] = await database.fetchval(
            "INSERT INTO outbox (shard, id, queue, event_id, topic, key, body, available_at) "
            "VALUES ($1::bigint & 1023, $1, $2, gen_random_uuid(), 'like.added', $3, '', "
            "now() + make_interval(secs => $4)) RETURNING id",
            ids.new(shard),
            queue,
            key,
            due,
        )
    return added


async def _claimed(database: Database, queue: str = "notify", *, limit: int = 9) -> list[str]:
    async with database.transaction() as tx:
        # The index would give the rows in this order by itself, the table does not.
        for plan in ("indexscan", "bitmapscan", "indexonlyscan"):
            await tx.execute(f"SET LOCAL enable_{plan} = off")
        return [row["key"] for row in await outbox.claim(tx, queue, limit=limit)]


async def _keys(database: Database, table: str = "outbox") -> list[str]:
    rows = await database.fetch(f"SELECT key FROM {table} ORDER BY key")  # noqa: S608
    return [row["key"] for row in rows]


async def test_rows_are_in_the_shard_of_the_event_s_subject(database: Database) -> None:
    """A row and its id are in the shard of the photo or user that the event is about; a session is its user's."""
    photo_id, user_id = (IdGenerator().new(shard) for shard in (7, 1023))
    async with database.transaction() as tx:
        tx.emit(LikeAdded(photo_id=photo_id, owner_id=photo_id, user_id=user_id))
        tx.emit(SessionEnded(session_id="00000000-0000-4000-8000-000000000000", user_id=user_id))
    rows = await database.fetch("SELECT shard, id & 1023 AS id_shard, topic FROM outbox ORDER BY id")
    assert {tuple(row) for row in rows} == {(7, 7, "like.added"), (1023, 1023, "session.ended")}


async def test_ids_that_another_process_has_used_are_replaced(database: Database) -> None:
    """Of the rows of a transaction, one whose id is taken is inserted with another id, and each of them once."""
    events = [(LikeAdded(photo_id=number, owner_id=1, user_id=2), 0.0) for number in (1, 2, 3)]
    async with database.connection() as connection:
        await outbox.insert(connection, _Ids(10), events[:2], lambda _: ["notify"])
        await outbox.insert(connection, _Ids(11), events, lambda _: ["notify"])
        rows = await database.fetch("SELECT id, key FROM outbox ORDER BY id")
        assert [tuple(row) for row in rows] == [(10, "1"), (11, "2"), (12, "2"), (13, "3"), (14, "1")]
        with pytest.raises(ConflictError):
            await outbox.insert(connection, _Ids(10, step=0), events[:1], lambda _: ["notify"])


class _Ids(IdGenerator):
    """Generates the numbers from `first` on, whatever the shard."""

    def __init__(self, first: int, *, step: int = 1) -> None:
        self._numbers = itertools.count(first, step)

    def new(self, shard: int) -> int:
        """Return the next number."""
        return next(self._numbers)


async def test_the_oldest_due_rows_of_a_queue_are_claimed(database: Database) -> None:
    """Rows are in the order of the times at which they became due, then of their ids; others are not due."""
    await _add(database, ("c", -10), ("later", 60), ("a", -30), ("b", -20), ("d", -10))
    await _add(database, ("other", -99), queue="fanout")
    assert await _claimed(database) == ["a", "b", "c", "d"]
    assert await _claimed(database, limit=2) == ["a", "b"]
    assert await _claimed(database, "fanout") == ["other"]


async def test_a_claimed_row_is_left_to_its_claimer(database: Database) -> None:
    """Another claim gets the next rows without waiting, and the row itself once the first claim ends."""
    await _add(database, ("a", -30), ("b", -20))
    async with database.transaction() as tx:
        assert [row["key"] for row in await outbox.claim(tx, "notify")] == ["a"]
        async with asyncio.timeout(DEADLINE):
            assert await _claimed(database) == ["b"]
    assert await _claimed(database) == ["a", "b"]


async def test_a_claim_says_whether_the_queue_has_another_row(database: Database) -> None:
    """A claimed row counts as long as it is not finished; rows of other queues and those that are not due do not."""
    await _add(database, ("a", -30), ("later", 60))
    await _add(database, ("other", -99), queue="fanout")
    async with database.transaction() as tx:
        assert [row["more"] for row in await outbox.claim(tx, "notify")] == [False]
        added = await _add(database, ("b", -20))
        async with database.transaction() as second:
            assert [row["more"] for row in await outbox.claim(second, "notify")] == [True]
            await outbox.finish(second, [added["b"]])
    async with database.transaction() as tx:
        assert [row["more"] for row in await outbox.claim(tx, "notify")] == [False]


async def test_rows_are_finished_and_postponed_by_their_ids(database: Database) -> None:
    """Each failed row has its own error and one more attempt, and becomes due after the delay."""
    rows = await _add(database, ("a", -30), ("b", -20), ("c", -10), ("d", -5))
    async with database.transaction() as tx:
        await outbox.finish(tx, [rows["a"]])
        await outbox.postpone(tx, {rows["b"]: "first", rows["c"]: "second"}, delay=60)
    found = await database.fetch(
        "SELECT key, attempts, last_error, round(extract(epoch FROM available_at - now()), -1)::int AS due "
        "FROM outbox ORDER BY key"
    )
    assert [tuple(row) for row in found] == [("b", 1, "first", 60), ("c", 1, "second", 60), ("d", 0, None, -10)]
    async with database.transaction() as tx:
        await outbox.postpone(tx, {rows["b"]: "again"}, delay=0)
    assert await _claimed(database) == ["d", "b"]


async def test_due_times_are_bounded_without_waiting_for_rows_in_progress(database: Database) -> None:
    """Rows whose time is too far ahead become due in batches; one that is locked is left to its handler."""
    rows = await _add(database, ("a", -30), ("b", 3600), ("c", 3600), ("d", 3600))
    lock = "SELECT 1 FROM outbox WHERE id = $1 FOR UPDATE"

    async def bound(limit: int) -> int:
        async with asyncio.timeout(DEADLINE), database.transaction() as tx:
            return await outbox.bound_due_times(tx, longest_delay=60, limit=limit)

    async with database.transaction() as tx:
        await tx.execute(lock, rows["b"])
        assert [await bound(9), await bound(9)] == [2, 0]
    assert [await bound(9), await bound(9)] == [1, 0]
    assert set(await _claimed(database)) == {"a", "b", "c", "d"}
    await _add(database, ("e", 3600), ("f", 3600))
    assert [await bound(1), await bound(1), await bound(1)] == [1, 1, 0]


async def test_a_delayed_event_is_due_after_its_delay(database: Database) -> None:
    """Nobody gets it earlier, also not when due times are bounded, unless the clock has stepped back."""
    async with database.transaction() as tx:
        tx.emit(LikeAdded(photo_id=1, owner_id=1, user_id=2), after=60)
        tx.emit(LikeAdded(photo_id=2, owner_id=1, user_id=2))
        for wrong in (-1, 61):
            with pytest.raises(ValueError, match="after"):
                tx.emit(LikeAdded(photo_id=3, owner_id=1, user_id=2), after=wrong)

    async def bound() -> int:
        async with database.transaction() as tx:
            return await outbox.bound_due_times(tx, longest_delay=600, limit=9)

    assert await bound() == 0
    assert await _claimed(database) == ["2"]
    await database.fetch("UPDATE outbox SET available_at = available_at - interval '60 s' WHERE key = '1'")
    assert await _claimed(database) == ["1", "2"]
    await database.fetch("UPDATE outbox SET available_at = now() + interval '70 s' WHERE key = '1'")
    await database.fetch("UPDATE outbox SET available_at = now() + interval '5 s' WHERE key = '2'")
    assert await bound() == 4  # each waits in the queues "notify" and "webhooks"
    assert await _claimed(database) == ["1", "2"]


async def test_one_row_becomes_a_dead_letter_and_returns(database: Database) -> None:
    """Only the row that is named moves to the dead letters, and only the dead letter that is named moves back."""
    rows = await _add(database, ("a", -30), ("b", -20), ("c", -10))
    async with database.transaction() as tx:
        await outbox.postpone(tx, {rows["a"]: "first"}, delay=60)
        await outbox.dead_letter(tx, rows["a"], "second")
        await outbox.dead_letter(tx, rows["b"], "first")
    assert await _keys(database) == ["c"]
    dead = await database.fetch("SELECT key, attempts, last_error FROM dead_letters ORDER BY key")
    assert [tuple(row) for row in dead] == [("a", 2, "second"), ("b", 1, "first")]
    async with database.transaction() as tx:
        assert await outbox.replay(tx, rows["a"])
        assert not await outbox.replay(tx, rows["a"])
    assert (await _keys(database), await _keys(database, "dead_letters")) == (["a", "c"], ["b"])
    assert await database.fetchval("SELECT attempts FROM outbox WHERE key = 'a'") == 0
    async with database.transaction() as tx:
        assert not await outbox.delete(tx, rows["c"])
        assert await outbox.delete(tx, rows["b"])
    assert await _keys(database, "dead_letters") == []


async def test_dead_letters_are_listed_by_the_time_of_their_death(database: Database) -> None:
    """They are listed oldest first, of one queue or of all, whatever their ids and order in the table."""
    rows = await _add(database, ("a", -30), ("b", -20))
    others = await _add(database, ("c", -10), queue="fanout")
    async with database.transaction() as tx:
        for row_id in (*rows.values(), *others.values()):
            await outbox.dead_letter(tx, row_id, "failed")
        for key, age in (("a", 10), ("b", 30), ("c", 20)):
            await tx.execute(
                "UPDATE dead_letters SET died_at = now() - make_interval(secs => $2) WHERE key = $1", key, float(age)
            )
    assert [row["key"] for row in await outbox.dead_letters(database, None, limit=9)] == ["b", "c", "a"]
    assert [row["key"] for row in await outbox.dead_letters(database, None, limit=2)] == ["b", "c"]
    assert [row["key"] for row in await outbox.dead_letters(database, "notify", limit=9)] == ["b", "a"]


async def test_the_age_of_the_oldest_row_that_is_due(database: Database) -> None:
    """Rows that wait for a retry have no age; without others it is 0."""
    assert await outbox.oldest_age(database) == 0
    await _add(database, ("later", 60))
    assert await outbox.oldest_age(database) == 0
    await _add(database, ("a", -30), ("b", -90))
    assert await outbox.oldest_age(database) == pytest.approx(90, abs=5)


async def test_depths_count_waiting_rows_and_dead_letters(database: Database) -> None:
    """Each queue has a number of rows, also of those that are not due, and of dead letters."""
    rows = await _add(database, ("a", -30), ("b", 60), ("c", -10))
    await _add(database, ("d", -10), queue="fanout")
    async with database.transaction() as tx:
        await outbox.dead_letter(tx, rows["a"], "failed")
    assert await outbox.depths(database) == {"notify": 2, "fanout": 1, "notify.dead": 1}


async def test_there_is_one_relay(database: Database) -> None:
    """A process that is not the relay learns it at once, and can be it once the other's transaction has ended."""
    await database.fetch("INSERT INTO leases (name) VALUES ('another')")

    async def leases() -> bool:
        async with asyncio.timeout(DEADLINE), database.transaction() as tx:
            return await outbox.lease(tx)

    async with database.transaction() as tx:
        assert await outbox.lease(tx)
        assert not await leases()
    async with database.transaction() as tx:
        await tx.execute("SELECT 1 FROM leases WHERE name = 'relay' FOR UPDATE")
        assert not await leases()
    assert await leases()


async def test_a_write_without_effect_deletes_nothing(database: Database) -> None:
    """The check that a server accepts writes leaves the row of the relay's lease."""
    await database.fetch(outbox.NO_CHANGE)
    async with database.transaction() as tx:
        assert await outbox.lease(tx)


async def test_one_server_is_no_cluster(database: Database) -> None:
    """Extensions other than that of a cluster change nothing."""
    assert not await outbox.is_on_cluster(database)


async def test_an_event_that_no_queue_wants_costs_no_statement() -> None:
    """Nothing is sent to the database for it."""

    class NoConnection:
        async def fetchmany(self, *_: object) -> list[object]:
            raise AssertionError("a statement was sent")

    like = LikeAdded(photo_id=1, owner_id=2, user_id=3)
    assert await outbox.insert(NoConnection(), IdGenerator(), [(like, 0.0)], lambda _: ()) == set()
