"""Engines that all trials share, so that a trial need not start its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg

from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
from storage.postgres.migrate import migrate
from tests.conftest import memory_file_system
from tests.engines.private import in_background, redis_server

_UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_TEMPLATE = "template_picshare"


@contextmanager
def shared_engines() -> Iterator[Mapping[str, str]]:
    """Run a PostgreSQL with the template database, a Redis and a Valkey.

    Yields the values of the fixtures of `tests/conftest.py` that start them otherwise.
    """
    folder = Path(tempfile.mkdtemp(prefix="psh-", dir=memory_file_system()))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        dsn = stack.enter_context(in_background(lambda: embedded_postgres(folder / "pg", options=_UNSAFE)))
        valkey = stack.enter_context(in_background(lambda: embedded_valkey(folder / "vk")))
        redis = stack.enter_context(redis_server(folder / "rd"))
        asyncio.run(_create_template(dsn))
        yield {"postgres_dsn": dsn, "template_database": _TEMPLATE, "valkey_url": valkey, "real_redis_url": redis}


async def _create_template(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    await connection.close()
    await migrate(dsn.replace("/picshare?", f"/{_TEMPLATE}?"))


async def drop_databases(dsn: str) -> None:
    """Drop the databases of tests that were killed; the next trial gives its databases the same names."""
    connection = await asyncpg.connect(dsn)
    for row in await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'"):
        await connection.execute(f'DROP DATABASE "{row[0]}" WITH (FORCE)')
    await connection.close()
