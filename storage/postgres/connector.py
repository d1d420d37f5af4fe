"""Connecting to PostgreSQL, where the URL may name several servers of which one accepts writes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from storage.errors import UnavailableError
from storage.postgres.address import server_name, server_urls
from storage.postgres.driver_errors import driver_errors

CONNECT_TIMEOUT = 10.0  # seconds
SERVER_TIMEOUT = (
    3.0  # seconds for one of several servers, so that a silent one is not waited for when the others refuse
)
NEXT_SERVER_DELAY = 0.25  # seconds without an answer until the next server is tried as well (RFC 8305, section 8)

# Options of the driver for a pooler in transaction mode, where the next statement may run in another session.
NO_PREPARED_STATEMENTS: Mapping[str, Any] = {"statement_cache_size": 0}


class Connector:
    """Opens connections to the first server of a URL that accepts them.

    The driver has one timeout for all servers of a URL, which a server that does not answer would use up. Here the
    next one is tried meanwhile, and the server that accepted the last connection is tried first.
    """

    def __init__(self, url: str) -> None:
        self._urls = server_urls(url)

    async def connect(self, *, timeout: float = CONNECT_TIMEOUT, **options: Any) -> Any:
        """Return a connection; `options` are those of `asyncpg.connect`. Raise `UnavailableError`."""
        if len(self._urls) == 1:
            with driver_errors():
                return await asyncpg.connect(self._urls[0], timeout=timeout, **options)
        attempts: dict[str, asyncio.Task[Any]] = {}
        accepted = None
        try:
            async with asyncio.timeout(timeout):
                accepted = await self._race(attempts, {"timeout": SERVER_TIMEOUT, **options})
        except TimeoutError as error:
            raise _refused(attempts) from error
        finally:
            for url, attempt in attempts.items():
                if url != accepted:
                    attempt.add_done_callback(_discard)
                    attempt.cancel()
        if accepted is None:
            raise _refused(attempts)
        # A new list, because other connections are being opened with the old one.
        self._urls = sorted(self._urls, key=lambda url: url != accepted)
        return attempts[accepted].result()

    async def _race(self, attempts: dict[str, asyncio.Task[Any]], options: dict[str, Any]) -> str | None:
        """Return the URL whose server accepts a connection first, or None if all refuse; `attempts` receives each."""
        urls = self._urls
        for url in urls:
            attempts[url] = asyncio.create_task(asyncpg.connect(url, **options))
            last = len(attempts) == len(urls)
            while running := [attempt for attempt in attempts.values() if not attempt.done()]:
                delay = None if last else NEXT_SERVER_DELAY
                done, _ = await asyncio.wait(running, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
                accepted = [url for url, attempt in attempts.items() if attempt in done and not attempt.exception()]
                if accepted:
                    return accepted[0]
                if not last:
                    break
        return None


async def connect(url: str) -> Any:
    """Return a connection to the server of `url` that accepts writes; raise `UnavailableError`."""
    return await Connector(url).connect()


async def unreachable_servers(url: str) -> list[str]:
    """Return the servers of `url` that accept no connection, each with the reason; a standby need not accept writes."""
    options: dict[str, Any] = {"timeout": SERVER_TIMEOUT, "target_session_attrs": "any"}
    attempts = {each: asyncio.create_task(asyncpg.connect(each, **options)) for each in server_urls(url)}
    await asyncio.wait(attempts.values())
    for attempt in attempts.values():
        attempt.add_done_callback(_discard)
    return [f"{server_name(each)}: {_reason(attempt)}" for each, attempt in attempts.items() if attempt.exception()]


async def shares_sessions(url: str) -> bool:
    """Return whether two connections use one session of the server in turn: a pooler in transaction mode is between."""
    connector = Connector(url)
    async with AsyncExitStack() as stack:
        sessions: list[int] = []
        for _ in range(2):
            connection = await connector.connect(**NO_PREPARED_STATEMENTS)
            stack.callback(connection.terminate)
            with driver_errors():
                # A pooler gives the session that was used last to whichever connection comes next.
                sessions.append(await connection.fetchval("SELECT pg_backend_pid()"))
    return sessions[0] == sessions[1]


def _refused(attempts: dict[str, asyncio.Task[Any]]) -> UnavailableError:
    """Return the error that says why each server was not accepted."""
    reasons = [f"{server_name(url)}: {_reason(attempt)}" for url, attempt in attempts.items()]
    return UnavailableError("database", f"none of the servers accepts writes ({'; '.join(reasons)})")


def _reason(attempt: asyncio.Task[Any]) -> str:
    if not attempt.done() or attempt.cancelled():
        return "no answer"
    error = attempt.exception()
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "read-only"
    return str(error) or type(error).__name__


def _discard(attempt: asyncio.Task[Any]) -> None:
    """Close the connection of an attempt that is not needed, and mark its error as retrieved."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().terminate()
