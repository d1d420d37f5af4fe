"""Migrations: numbered SQL files, each applied once, in one transaction with the row that says so.

The files stand in `migrations/` as `<number>_<name>.sql`. A file that was applied never changes again:
its checksum is kept, and a difference is an error that names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from storage.errors import SchemaError
from storage.postgres.database import Queryable, driver_errors

FOLDER = Path(__file__).parent / "migrations"

_CONNECT_TIMEOUT = 10.0  # seconds; the statements themselves may take as long as they need
_LOCK = (0x70696373, 1)  # "pics": two keys, apart from the one-key locks of people
_LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version     integer PRIMARY KEY,
        name        text NOT NULL,
        sha256      text NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT now()
    )"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One file: its number, its name without `.sql`, its text and that text's checksum (hex)."""

    version: int
    name: str
    sql: str
    sha256: str


def load(folder: Path = FOLDER) -> list[Migration]:
    """Return the migrations of a folder by number; raise `SchemaError` when two bear the same number."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        number, _, _ = path.stem.partition("_")
        if not number.isdigit() or int(number) in found:
            raise SchemaError(f"the migration {path.name} needs a number of its own in front")
        text = path.read_bytes()
        found[int(number)] = Migration(
            version=int(number), name=path.stem, sql=text.decode(), sha256=hashlib.sha256(text).hexdigest()
        )
    return [found[version] for version in sorted(found)]


def pending(migrations: Sequence[Migration], applied: Mapping[int, tuple[str, str]]) -> list[Migration]:
    """Return what is still to apply, given `applied` as version → (name, sha256).

    Raise `SchemaError` when an applied file has changed, or when the schema is newer than this code.
    """
    known = {migration.version: migration for migration in migrations}
    for version, (name, sha256) in sorted(applied.items()):
        if version not in known:
            raise SchemaError(
                f"the database's schema is newer than this PicShare: it has {name}, which is unknown here; "
                "run a PicShare that knows it, of which `picshare migrate` brought the schema so far"
            )
        if known[version].sha256 != sha256:
            raise SchemaError(
                f"the migration {known[version].name}.sql has changed since it was applied; restore the file, "
                "put the change into a new one, and run `picshare migrate`"
            )
    return [migration for migration in migrations if migration.version not in applied]


async def migrate(dsn: str, *, folder: Path = FOLDER) -> list[str]:
    """Bring a database's schema up to date and return the names of what was applied, in order.

    Two at once wait for each other. Raise `SchemaError` (see `pending`) or `UnavailableError`; a file that
    fails leaves nothing behind, and what came before it stays.
    """
    migrations = load(folder)
    with driver_errors():
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_TIMEOUT)
        try:
            await connection.execute("SELECT pg_advisory_lock($1, $2)", *_LOCK)
            await connection.execute(_LEDGER)
            due = pending(migrations, await _applied(connection))
            for migration in due:
                await _apply(connection, migration)
        finally:
            # Closing gives back the lock, whatever happened.
            await connection.close(timeout=_CONNECT_TIMEOUT)
    return [migration.name for migration in due]


async def check(db: Queryable, *, folder: Path = FOLDER) -> None:
    """Do nothing when the schema fits this code; else raise `SchemaError` with the sentence that mends it."""
    if await db.fetchval("SELECT to_regclass('schema_migrations')::text") is None:
        raise SchemaError("the database has no PicShare schema yet: run `picshare migrate`")
    due = pending(load(folder), await _applied(db))
    if due:
        names = ", ".join(migration.name for migration in due)
        raise SchemaError(f"the database's schema is older than this PicShare ({names} due): run `picshare migrate`")


async def _applied(db: Any) -> dict[int, tuple[str, str]]:
    rows = await db.fetch("SELECT version, name, sha256 FROM schema_migrations")
    return {row["version"]: (row["name"], row["sha256"]) for row in rows}


async def _apply(connection: Any, migration: Migration) -> None:
    async with connection.transaction():
        try:
            await connection.execute(migration.sql)
        except (asyncpg.SyntaxOrAccessError, asyncpg.IntegrityConstraintViolationError) as error:
            raise SchemaError(f"the migration {migration.name} failed: {error}") from error
        await connection.execute(
            "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.sha256,
        )
