"""Migrations: numbered SQL files, each applied once, in one transaction with the row that records it.

The files are `migrations/<number>_<name>.sql`. A file that has been applied must not change any more: its checksum is
stored, and a difference is an error that names the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from storage.errors import SchemaError
from storage.postgres.connector import connect
from storage.postgres.database import Queryable
from storage.postgres.driver_errors import driver_errors

FOLDER = Path(__file__).parent / "migrations"

_CONNECT_TIMEOUT = 10.0  # seconds; the statements themselves have no limit
_LOCK = (0x70696373, 1)  # "pics"; advisory locks with two keys never conflict with the one-key locks of the stores
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


async def migrate(dsn: str, *, folder: Path = FOLDER) -> list[str]:
    """Apply the pending migrations and return their names in order.

    Concurrent calls wait for each other. Raises `SchemaError` (see `pending`) or `UnavailableError`. A file that
    fails is rolled back; the files before it stay applied.
    """
    migrations = load(folder)
    with driver_errors():
        connection = await connect(dsn)
        try:
            await connection.execute("SELECT pg_advisory_lock($1, $2)", *_LOCK)
            await connection.execute(_CREATE_TABLE)
            due = pending(migrations, await _applied(connection))
            for migration in due:
                await _apply(connection, migration)
        finally:
            # The lock belongs to the session, so closing the connection always releases it.
            await connection.close(timeout=_CONNECT_TIMEOUT)
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
