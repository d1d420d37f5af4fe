"""Engines that all trials share, so that a trial need not start its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import asyncpg

from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
from storage.postgres.migrate import migrate
from tests.conftest import memory_file_system
from tests.engines.databases import prepare_template
from tests.engines.private import RedisNode, free_port, in_background

_UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_TEMPLATE = "template_picshare"


class SharedEngines:
    """A PostgreSQL with the template database, a Redis and a Valkey, while the context lasts.

    `fixtures` has the values of the fixtures of `tests/conftest.py` that start them otherwise.
    """

    def __init__(self) -> None:
        self.fixtures: Mapping[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> SharedEngines:
        """Start them."""
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them and delete their data."""
        self._stack.close()

    def restart(self) -> None:
        """Start others: a trial that was stopped leaves databases behind, and perhaps a Redis in an endless script."""
        self._stack.close()
        self._start()

    def _start(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="psh-", dir=memory_file_system()))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        dsn = self._stack.enter_context(in_background(lambda: embedded_postgres(folder / "pg", options=_UNSAFE)))
        valkey = self._stack.enter_context(in_background(lambda: embedded_valkey(folder / "vk")))
        redis = RedisNode(folder / "rd", free_port())
        redis.start()
        self._stack.callback(redis.kill)
        asyncio.run(_create_template(dsn))
        self.fixtures = {
            "postgres_dsn": dsn,
            "template_database": _TEMPLATE,
            "valkey_url": valkey,
            "real_redis_url": redis.url,
        }


async def _create_template(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    await connection.close()
    template = dsn.replace("/picshare?", f"/{_TEMPLATE}?")
    await migrate(template)
    await prepare_template(template)
