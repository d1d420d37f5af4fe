"""The transactional outbox: events are rows of the transaction that caused them.

This module owns every SQL statement about the tables `outbox` and `dead_letters`. The functions take an asyncpg
connection, a `Transaction` or a `Database`; translating the driver's errors is left to the caller.

A row is in the shard of its event's subject, like the rows of the transaction that wrote it, and its id carries the
shard. A writer inserts rows and, after the commit, notifies the consumers of their queues. The notification is a hint:
consumers also poll once a second.

Rows are claimed by the consumers of one server (`claim`), which lock them, or read by the relay (`due`), which is the
only one for all servers while it holds the lease.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

import asyncpg
import structlog

from storage.errors import ConflictError
from storage.events import Event, encode
from storage.ids import IdGenerator, shard_of
from storage.postgres.sharding import shard, shards

CHANNEL = "picshare_outbox"
# A write without effect. A server that is read-only refuses it, because it checks that before it looks for rows.
NO_CHANGE = "DELETE FROM leases WHERE false"

log = structlog.get_logger(__name__)

_INSERT = f"""
INSERT INTO outbox (shard, id, queue, event_id, topic, key, body, headers, available_at)
VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))
ON CONFLICT (id, shard) DO NOTHING RETURNING id
"""
LONGEST_AFTER = 60.0  # seconds after its commit at which an event may be emitted
_ATTEMPTS = 3  # to insert rows whose ids another process may have generated, too
# now() would not do: it is the start of the transaction, and a claim may follow long after its BEGIN.
_COLUMNS = "id, event_id, topic, key, body, headers, attempts"
_DUE = """
FROM outbox WHERE queue = $1 AND available_at <= statement_timestamp()
ORDER BY available_at, id LIMIT $2"""
_READ = f"/* all shards: the relay publishes the rows of all */ SELECT {_COLUMNS} {_DUE}"
_CLAIM = f"""/* one server: the embedded broker is refused on a cluster */
SELECT {_COLUMNS}, EXISTS (
    SELECT 1 FROM outbox other
    WHERE other.queue = $1 AND other.available_at <= statement_timestamp() AND other.id <> outbox.id) AS more
{_DUE} FOR UPDATE SKIP LOCKED"""
# A lease ends with its transaction, so also with its process.
_LEASE = "SELECT 1 FROM leases WHERE name = 'relay' FOR UPDATE SKIP LOCKED"
_FINISH = "DELETE FROM outbox WHERE shard = ANY($2::integer[]) AND id = ANY($1::bigint[])"
_POSTPONE = f"""
UPDATE outbox SET attempts = attempts + 1, last_error = $2,
    available_at = statement_timestamp() + make_interval(secs => $3)
WHERE shard = {shard("$1")} AND id = $1
"""
_TOO_LATE = """/* all shards: the clock of any server may have stepped back */
SELECT id FROM outbox
WHERE available_at > statement_timestamp() + CASE attempts
    WHEN 0 THEN make_interval(secs => coalesce((headers ->> 'after')::float8, 0)) ELSE make_interval(secs => $1) END
ORDER BY id LIMIT $2
"""
# Locked rows are being handled, so they are due already, and waiting for their handlers would take too long.
_LOCK = f"SELECT 1 FROM outbox WHERE shard = {shard('$1')} AND id = $1 FOR UPDATE SKIP LOCKED"
_MAKE_DUE = f"UPDATE outbox SET available_at = statement_timestamp() WHERE shard = {shard('$1')} AND id = $1"
_DEAD_LETTER = f"""
WITH dead AS (DELETE FROM outbox WHERE shard = {shard("$1")} AND id = $1 RETURNING *)
INSERT INTO dead_letters
    (shard, id, queue, event_id, topic, key, body, headers, attempts, last_error, created_at, died_at)
SELECT shard, id, queue, event_id, topic, key, body, headers, attempts + 1, $2, created_at, statement_timestamp()
FROM dead
"""
_DEAD_LETTERS = """/* all shards: a list for the operator */
SELECT * FROM dead_letters WHERE queue = coalesce($1, queue) ORDER BY died_at, id LIMIT $2
"""
# This NOTIFY is part of the transaction, unlike that of `Notifier`: a replay by hand is rare enough for its lock.
_REPLAY = f"""
WITH dead AS (DELETE FROM dead_letters WHERE shard = {shard("$1")} AND id = $1 RETURNING *), replayed AS (
    INSERT INTO outbox (shard, id, queue, event_id, topic, key, body, headers, created_at)
    SELECT shard, id, queue, event_id, topic, key, body, headers, created_at FROM dead RETURNING queue)
SELECT pg_notify($2, queue) FROM replayed
"""
_DELETE = f"DELETE FROM dead_letters WHERE shard = {shard('$1')} AND id = $1 RETURNING id"
_OLD_DEAD_LETTERS = """/* all shards: the janitor's */
SELECT id FROM dead_letters WHERE died_at < now() - $1::interval LIMIT $2
"""
_DELETE_ALL = "DELETE FROM dead_letters WHERE shard = ANY($1::integer[]) AND id = ANY($2::bigint[]) RETURNING id"
_DEPTHS = """/* all shards: the depths of the queues */
SELECT queue, count(*) AS depth FROM outbox GROUP BY queue
UNION ALL SELECT queue || '.dead', count(*) FROM dead_letters GROUP BY queue
"""
_OLDEST = """/* all shards: the age of the oldest row */
SELECT coalesce(extract(epoch FROM statement_timestamp() - min(available_at)), 0)::float8 FROM outbox
WHERE available_at <= statement_timestamp()
"""


class Reader(Protocol):
    """Anything that runs a query: an asyncpg connection, a `Transaction` or a `Database`."""

    async def fetch(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        """Return all rows."""
        ...

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        ...


class Writer(Reader, Protocol):
    """An open transaction: an asyncpg connection or a `Transaction`."""

    async def execute(self, sql: str, *args: object) -> object:
        """Run a statement."""
        ...


Delayed = tuple[Event, float]  # an event, and the seconds after its commit at which it becomes due


async def insert(
    connection: Any, ids: IdGenerator, events: Iterable[Delayed], routes: Callable[[str], Sequence[str]]
) -> set[str]:
    """Insert one row for each event and each queue that `routes` gives for its topic, in order; return the queues."""
    context = structlog.contextvars.get_contextvars()
    headers = {key: context[key] for key in ("request_id", "traceparent") if key in context}
    now = time.time()
    rows = [
        (ids.new(event.shard), queue, event_id, event.topic, event.key, encode(event), headers | delays, after)
        for event, after in events
        for event_id in (uuid.uuid4(),)  # one id for all the queues of an event
        for delays in (_delays(now, after),)
        for queue in routes(event.topic)
    ]
    if not rows:
        return set()  # no queue wants these events, so no round trip is spent on them
    waiting = rows
    for _ in range(_ATTEMPTS):
        inserted = {row["id"] for row in await connection.fetchmany(_INSERT, waiting)}
        waiting = [(ids.new(shard_of(row[0])), *row[1:]) for row in waiting if row[0] not in inserted]
        if not waiting:
            return {row[1] for row in rows}
    raise ConflictError("conflict", "The ids of new events are taken. Try again.")


def _delays(now: float, after: float) -> dict[str, str]:
    """Return the headers that say when an event is due, in milliseconds since 1970, and after which wanted delay."""
    due = {"due_at": str(round((now + after) * 1000))}
    return due | {"after": f"{after:g}"} if after else due  # known as wanted by `bound_due_times`


async def claim(tx: Writer, queue: str, *, limit: int = 1) -> Sequence[asyncpg.Record]:
    """Lock the oldest rows of a queue that are due and not locked, until the transaction ends, and return them.

    `more` says whether another row than this one was due, locked or not.
    """
    return await tx.fetch(_CLAIM, queue, limit)


async def lease(tx: Writer, *, settings: str = "") -> bool:
    """Become the only relay until the transaction ends; return False if another process is it.

    `settings` are statements that are sent before it, in the same round trip. `tx` is a `Transaction`.
    """
    return await tx.execute(f"{settings}{_LEASE}") == 1


async def due(tx: Reader, queue: str, *, limit: int) -> Sequence[asyncpg.Record]:
    """Return the oldest rows of a queue that are due; the caller holds the lease."""
    return await tx.fetch(_READ, queue, limit)


async def finish(tx: Writer, row_ids: Sequence[int]) -> None:
    """Delete rows whose events are handled or published."""
    await tx.execute(_FINISH, row_ids, shards(row_ids))


async def postpone(tx: Writer, failures: Mapping[int, str], *, delay: float) -> None:
    """Count a failed attempt for each row, keep its error, and make the rows due after `delay` seconds."""
    for row_id, error in sorted(failures.items()):
        await tx.execute(_POSTPONE, row_id, error, delay)


async def bound_due_times(tx: Writer, *, longest_delay: float, limit: int) -> int:
    """Make up to `limit` rows due now whose time is further ahead than any delay, in seconds, allows.

    Return their number. PostgreSQL's clock has stepped back since such a row was written. Its event would wait until
    the clock catches up. An event that was emitted with a delay may wait for that.
    """
    changed = 0
    for row in await tx.fetch(_TOO_LATE, longest_delay, limit):
        if await tx.fetch(_LOCK, row["id"]):
            await tx.execute(_MAKE_DUE, row["id"])
            changed += 1
    return changed


async def dead_letter(tx: Writer, row_id: int, error: str) -> None:
    """Move a row to the dead letters, with the error of its last attempt."""
    await tx.execute(_DEAD_LETTER, row_id, error)


async def dead_letters(db: Reader, queue: str | None, *, limit: int) -> Sequence[asyncpg.Record]:
    """Return the dead letters of one queue, or of all, oldest first."""
    return await db.fetch(_DEAD_LETTERS, queue, limit)


async def replay(tx: Writer, dead_letter_id: int) -> bool:
    """Move a dead letter back to its queue as a first attempt; return False if it does not exist."""
    return bool(await tx.fetch(_REPLAY, dead_letter_id, CHANNEL))


async def delete(tx: Writer, dead_letter_id: int) -> bool:
    """Delete a dead letter; return False if it does not exist."""
    return bool(await tx.fetch(_DELETE, dead_letter_id))


async def purge_dead_letters(tx: Writer, *, older_than: timedelta, limit: int) -> int:
    """Delete up to `limit` dead letters that are so old, and return their number."""
    rows = await tx.fetch(_OLD_DEAD_LETTERS, older_than, limit)
    found = [row["id"] for row in rows]
    return len(await tx.fetch(_DELETE_ALL, shards(found), found)) if found else 0


async def depths(db: Reader) -> dict[str, int]:
    """Return the number of rows of each queue that has any, with dead letters under `<queue>.dead`.

    Rows that are claimed or postponed are counted.
    """
    return {row["queue"]: row["depth"] for row in await db.fetch(_DEPTHS)}


async def oldest_age(db: Reader) -> float:
    """Return for how many seconds the oldest row has been due; 0 when none is due."""
    age: float = await db.fetchval(_OLDEST)
    return age


async def is_on_cluster(db: Reader) -> bool:
    """Return whether the tables are distributed over servers, where rows cannot be claimed nor listeners notified."""
    found: bool = await db.fetchval("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')")
    return found
