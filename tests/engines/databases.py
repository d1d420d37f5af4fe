"""Migrated databases for tests, each of which is emptied and used again, because that costs a tenth of a new one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")

_USES = 20  # tests until a database is replaced, because scans go through the rows of all tests before
_MANY_ROWS = 2_000  # after so many rows of one test a database is replaced
_DEADLINE = 120.0  # seconds for a statement on a busy machine

_TABLES = """
SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname
"""
# A sequence notes a change of the schema, because it goes on when the transaction of the change is rolled back.
_NOTE_CHANGES = """
CREATE SEQUENCE tests.changes;
CREATE FUNCTION tests.note_change() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('tests.changes');
END $$;
CREATE EVENT TRIGGER schema_changes ON ddl_command_end EXECUTE FUNCTION tests.note_change()
"""
_SESSIONS = """
    PERFORM pg_terminate_backend(pid, 30000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid();
"""
# Statistics of a table are kept when its rows are deleted, and other plans would be chosen with them.
_STATE = """
SELECT concat_ws('|',
    (SELECT is_called FROM tests.changes),
    (SELECT sum(reltuples) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_db_role_setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
    {rows})
"""


async def prepare_template(dsn: str) -> None:
    """Add the schema `tests` to a migrated database, whose copies can then be emptied; no test has used it yet."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE SCHEMA tests")
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        kept = [table for table in tables if await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})")]  # noqa: S608 - see _TABLES
        rows = ", ".join(f"(SELECT string_agg(t::text, '|' ORDER BY t::text) FROM {table} t)" for table in kept)  # noqa: S608
        await connection.execute(
            "CREATE FUNCTION tests.state() RETURNS text LANGUAGE plpgsql AS "
            f"$$ BEGIN RETURN ({_STATE.format(rows=rows)}); END $$"
        )
        await connection.execute(_emptying([table for table in tables if table not in kept]))
        await connection.execute(_NOTE_CHANGES)
    finally:
        await connection.close()


def _emptying(tables: list[str]) -> str:
    # One function with the statement of each table, so that a connection plans them once.
    deletions = "\n".join(
        f"    DELETE FROM {table}; GET DIAGNOSTICS n = ROW_COUNT; total := total + n;"  # noqa: S608
        for table in tables
    )
    return f"""
CREATE FUNCTION tests.reset() RETURNS integer LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE
    n integer;
    total integer := 0;
BEGIN
{_SESSIONS}
{deletions}
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)
       FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
    RETURN total;
END $$"""


class Databases:
    """Copies of a template on one server, of which a test uses one at a time.

    A copy is used by another test if it is empty again afterwards. It is replaced if a test has changed the schema,
    settings, statistics, or rows that migrations inserted.
    """

    def __init__(self, dsn: str, template: str, loop: asyncio.AbstractEventLoop, *, prefix: str) -> None:
        self._dsn = dsn
        self._template = template
        self._loop = loop
        self._prefix = prefix
        self._number = self._uses = 0
        self._inside: asyncpg.Connection[Any] | None = None
        self._state = ""

    def take(self, *, fresh: bool = False) -> str:
        """Return the DSN of an empty database; of one that no test has used before, if it has to be `fresh`."""
        return self._run(self._take(fresh))

    def give_back(self) -> None:
        """End the use of the database, with all its sessions."""
        self._run(self._give_back())

    def close(self) -> None:
        """Drop the database."""
        self._run(self._drop())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DEADLINE)

    @property
    def _name(self) -> str:
        return f"{self._prefix}_{self._number}"

    async def _take(self, fresh: bool) -> str:
        dsn = self._dsn.replace("/picshare?", f"/{self._name}?")
        if self._inside is not None and not fresh:
            return dsn
        await self._drop()
        self._number, self._uses = self._number + 1, 0
        await self._execute(f"CREATE DATABASE {self._name} TEMPLATE {self._template} STRATEGY file_copy")
        dsn = self._dsn.replace("/picshare?", f"/{self._name}?")
        self._inside = await asyncpg.connect(dsn)
        self._state = await self._inside.fetchval("SELECT tests.state()")
        return dsn

    async def _give_back(self) -> None:
        self._uses += 1
        if self._inside is None or self._uses == _USES or not await self._is_empty_again(self._inside):
            await self._drop()

    async def _is_empty_again(self, inside: asyncpg.Connection[Any]) -> bool:
        try:
            deleted = await inside.fetchval("SELECT tests.reset()")
            return bool(deleted < _MANY_ROWS and await inside.fetchval("SELECT tests.state()") == self._state)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False  # the test has changed the schema, or ended the session

    async def _drop(self) -> None:
        if self._inside is not None:
            self._inside.terminate()
            self._inside = None
            await self._execute(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def databases(dsn: str, template: str, *, prefix: str = "test") -> Iterator[Databases]:
    """Keep databases for the time of the block; their connections have an event loop that outlives those of tests."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = Databases(dsn, template, loop, prefix=prefix)
    try:
        yield made
    finally:
        made.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()
