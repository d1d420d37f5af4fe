"""Migrations: numbered SQL files, each applied once, in one transaction with the row that records it.

The files are `migrations/<number>_<name>.sql`. A file that has been applied must not change any more: its checksum is
stored, and a difference is an error that names the file.

A file whose first line is `-- no-transaction` runs outside a transaction, one statement after the other, for what
PostgreSQL refuses in one (CREATE INDEX CONCURRENTLY) and for changes of many rows in batches. After an interruption it
runs again from its first statement, so each of its statements must allow that.

A statement that waits for a lock on a table makes every later query of the table wait as well. So a transaction gives
up its wait after `LockWaits.timeout`, lets the others pass, and is tried again.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from storage.errors import SchemaError, UnavailableError
from storage.postgres.connector import connect
from storage.postgres.database import Queryable
from storage.postgres.driver_errors import driver_errors
from storage.postgres.sql_statements import split

FOLDER = Path(__file__).parent / "migrations"

log = structlog.get_logger(__name__)

NO_TRANSACTION = "-- no-transaction\n"
TURN_PAUSE = 0.2  # seconds between two looks whether another process still migrates
_CLOSE_TIMEOUT = 10.0  # seconds
# "pics". An advisory lock is known to one server only; all migrations of a cluster go through its coordinator.
# One server knows an advisory lock. On a cluster that is the coordinator, to which all migrations are sent.
_TRY_LOCK = "/* one server: all migrations are sent to the same */ SELECT pg_try_advisory_lock($1, $2)"
_LOCK = (0x70696373, 1)
# A role may have limits that suit the statements of requests.
_NO_LIMITS = "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0"
_OLDEST_TRANSACTION = """
    SELECT pid, state, extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds FROM pg_stat_activity
    WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
    ORDER BY xact_start LIMIT 1"""
_CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version     integer PRIMARY KEY,
        name        text NOT NULL,
        sha256      text NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT now()
    )"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """A migration file: its number, its name without `.sql`, its text, and the text's checksum in hex."""

    version: int
    name: str
    sql: str
    sha256: str

    @property
    def in_transaction(self) -> bool:
        """Whether the file is one transaction."""
        return not self.sql.startswith(NO_TRANSACTION)


@dataclass(frozen=True, kw_only=True, slots=True)
class LockWaits:
    """How a transaction waits for locks: `attempts` times for `timeout` seconds, with random pauses that grow."""

    timeout: float = 2.0
    attempts: int = 30
    first_pause: float = 0.5  # seconds
    longest_pause: float = 10.0

    def pause(self, attempt: int) -> float:
        """Return the pause in seconds after this attempt, counted from 1: a half to all of a doubling time."""
        longest = min(self.first_pause * 2.0 ** (attempt - 1), self.longest_pause)
        return longest * random.uniform(0.5, 1)


def load(folder: Path = FOLDER) -> list[Migration]:
    """Return the migrations of a folder, sorted; raise `SchemaError` for a missing or repeated number."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        number, _, _ = path.stem.partition("_")
        if not number.isdigit() or int(number) in found:
            raise SchemaError(f"the name of the migration {path.name} needs a unique number at its start")
        text = path.read_bytes()
        found[int(number)] = Migration(
            version=int(number), name=path.stem, sql=text.decode(), sha256=hashlib.sha256(text).hexdigest()
        )
    return [found[version] for version in sorted(found)]


def pending(migrations: Sequence[Migration], applied: Mapping[int, tuple[str, str]]) -> list[Migration]:
    """Return the migrations that have not been applied; `applied` maps versions to (name, sha256).

    Raises `SchemaError` when an applied file has changed, or when the schema is newer than this code.
    """
    known = {migration.version: migration for migration in migrations}
    for version, (name, sha256) in sorted(applied.items()):
        if version not in known:
            raise SchemaError(
                f"the database's schema is newer than this PicShare: it has the unknown migration {name}; "
                "run the version of PicShare whose `picshare migrate` applied it"
            )
        if known[version].sha256 != sha256:
            raise SchemaError(
                f"the migration {known[version].name}.sql has changed since it was applied; restore the file, "
                "put the change into a new file, and run `picshare migrate`"
            )
    return [migration for migration in migrations if migration.version not in applied]


async def migrate(dsn: str, *, folder: Path = FOLDER, waits: LockWaits | None = None) -> list[str]:
    """Apply the pending migrations and return their names in order.

    Concurrent calls wait for each other. Raises `SchemaError` (see `pending`) or `UnavailableError`, also when a table
    stays locked. A file that fails is rolled back, unless it runs outside a transaction; those before it stay applied.
    """
    migrations = load(folder)
    connection = await connect(dsn)
    with driver_errors():
        try:
            await connection.execute(_NO_LIMITS)
            # A session that waits for the lock would have an open snapshot, for which CREATE INDEX CONCURRENTLY in the
            # session that has the lock waits in turn.
            while not await connection.fetchval(_TRY_LOCK, *_LOCK):  # noqa: ASYNC110
                await asyncio.sleep(TURN_PAUSE)
            await connection.execute(_CREATE_TABLE)
            due = pending(migrations, await _applied(connection))
            for migration in due:
                if migration.in_transaction:
                    await _apply_when_unlocked(connection, migration, waits or LockWaits())
                else:
                    await _apply_statements(connection, migration)
        finally:
            # The lock belongs to the session, so closing the connection always releases it.
            await connection.close(timeout=_CLOSE_TIMEOUT)
    return [migration.name for migration in due]


async def check(db: Queryable, *, folder: Path = FOLDER) -> None:
    """Raise `SchemaError`, with the solution, unless the schema fits this code."""
    if await db.fetchval("SELECT to_regclass('schema_migrations')::text") is None:
        raise SchemaError("the database has no PicShare schema yet: run `picshare migrate`")
    due = pending(load(folder), await _applied(db))
    if due:
        names = ", ".join(migration.name for migration in due)
        raise SchemaError(f"the database's schema is older than this PicShare ({names} due): run `picshare migrate`")


async def _applied(db: Any) -> dict[int, tuple[str, str]]:
    rows = await db.fetch("SELECT version, name, sha256 FROM schema_migrations")
    return {row["version"]: (row["name"], row["sha256"]) for row in rows}


async def _apply_when_unlocked(connection: Any, migration: Migration, waits: LockWaits) -> None:
    """Apply a transaction; repeat it when a table stays locked, or after a deadlock."""
    for attempt in range(1, waits.attempts + 1):
        try:
            return await _apply_transaction(connection, migration, waits.timeout)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            pause = waits.pause(attempt)
            log.warning("migration_waits", migration=migration.name, error=str(error), retry_seconds=round(pause, 1))
            if attempt < waits.attempts:
                await asyncio.sleep(pause)
    raise UnavailableError(
        "database",
        f"the migration {migration.name} found its tables locked {waits.attempts} times{await _blocker(connection)}",
    )


async def _apply_transaction(connection: Any, migration: Migration, lock_timeout: float) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {round(lock_timeout * 1000)}")
        await _run(connection, migration, migration.sql)
        await _record(connection, migration)


async def _apply_statements(connection: Any, migration: Migration) -> None:
    # Without a limit on waits for locks: what is allowed here lets readers and writers pass while it waits.
    for statement in split(migration.sql):
        await _run(connection, migration, statement)
    await _record(connection, migration)


async def _run(connection: Any, migration: Migration, sql: str) -> None:
    try:
        await connection.execute(sql)
    except (asyncpg.SyntaxOrAccessError, asyncpg.IntegrityConstraintViolationError) as error:
        raise SchemaError(f"the migration {migration.name} failed: {error}") from error


async def _record(connection: Any, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
        migration.version,
        migration.name,
        migration.sha256,
    )


async def _blocker(connection: Any) -> str:
    """Return the oldest open transaction of others as the end of a sentence, for it most likely has the lock."""
    row = await connection.fetchrow(_OLDEST_TRANSACTION)
    if row is None:
        return ""
    return f"; the oldest open transaction is that of process {row['pid']} ({row['state']}, {row['seconds']:.0f} s)"
