"""Connecting to PostgreSQL, where the URL may name several servers of which one accepts writes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import asyncpg
import structlog

from storage.errors import UnavailableError
from storage.postgres.address import server_name, server_urls
from storage.postgres.driver_errors import driver_errors

CONNECT_TIMEOUT = 10.0  # seconds
SERVER_TIMEOUT = (
    3.0  # seconds for one of several servers, so that a silent one is not waited for when the others refuse
)
NEXT_SERVER_DELAY = 0.25  # seconds without an answer until the next server is tried as well (RFC 8305, section 8)

_RUN = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN
        ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint
    END AS timeline, pg_postmaster_start_time()::text AS started
"""

log = structlog.get_logger(__name__)

# Options of the driver for a pooler in transaction mode, where the next statement may run in another session.
NO_PREPARED_STATEMENTS: Mapping[str, Any] = {"statement_cache_size": 0}


class ServerRun(NamedTuple):
    """A server between two of its starts, and the timeline on which it writes; None for a standby.

    Every promotion begins a timeline, so of two servers that accept writes the one on the lower was the primary before.
    """

    timeline: int | None
    started: str


class Connector:
    """Opens connections to the first server of a URL that accepts them.

    The driver has one timeout for all servers of a URL, which a server that does not answer would use up. Here the
    next one is tried meanwhile, and the server that accepted the last connection is tried first.

    A former primary may return and accept writes. Before the first connection to a server, and after each of its
    starts, the others are asked as well: the one on the highest timeline is used, and none on a lower one than before.
    """

    def __init__(self, url: str) -> None:
        self._urls = server_urls(url)
        self._last: ServerRun | None = None
        self._comparing = asyncio.Lock()

    async def connect(self, *, timeout: float = CONNECT_TIMEOUT, **options: Any) -> Any:
        """Return a connection; `options` are those of `asyncpg.connect`. Raise `UnavailableError`."""
        if len(self._urls) == 1:
            with driver_errors():
                return await asyncpg.connect(self._urls[0], timeout=timeout, **options)
        options = {"timeout": SERVER_TIMEOUT, **options}
        attempts: dict[str, asyncio.Task[Any]] = {}
        accepted = None
        try:
            async with asyncio.timeout(timeout):
                accepted = await self._newest(await self._race(attempts, options), attempts, options)
        except TimeoutError as error:
            accepted = None
            raise _refused(attempts) from error
        except BaseException:
            accepted = None
            raise
        finally:
            for url, attempt in attempts.items():
                if url != accepted:
                    attempt.add_done_callback(_discard)
                    attempt.cancel()
        # A new list, because other connections are being opened with the old one.
        self._urls = sorted(self._urls, key=lambda url: url != accepted)
        return attempts[accepted].result()

    async def _race(self, attempts: dict[str, asyncio.Task[Any]], options: dict[str, Any]) -> str:
        """Return the URL whose server accepts a connection first; `attempts` receives each.

        Raise `UnavailableError` if all refuse.
        """
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
        raise _refused(attempts)

    async def _newest(self, accepted: str, attempts: dict[str, asyncio.Task[Any]], options: dict[str, Any]) -> str:
        """Return the URL of the server to use: `accepted`, or another one on a higher timeline.

        Raise `UnavailableError` if there is none on the timeline of the last connection or a higher one.
        """
        run = await _run_of(attempts[accepted].result())
        if run.timeline is None or run == self._last:
            return accepted
        # One caller asks the others, while all open new connections after a failover.
        async with self._comparing:
            if run == self._last:
                return accepted
            runs = {accepted: run, **await self._others(accepted, attempts, options)}
            newest = max(runs, key=lambda url: runs[url].timeline or 0)
            highest = runs[newest].timeline or 0
            if len(runs) > 1:
                servers = {server_name(url): runs[url].timeline for url in runs}
                log.error("database_two_primaries", timelines=servers, used=server_name(newest))
            if self._last is not None and highest < (self._last.timeline or 0):
                raise UnavailableError(
                    "database",
                    f"{server_name(newest)} accepts writes on timeline {highest}, but was succeeded by a server on "
                    f"timeline {self._last.timeline}, which does not answer",
                )
            self._last = runs[newest]
            return newest

    async def _others(
        self, accepted: str, attempts: dict[str, asyncio.Task[Any]], options: dict[str, Any]
    ) -> dict[str, ServerRun]:
        """Return the other servers that accept writes, of those that answer soon; `attempts` receives each."""
        others = [url for url in self._urls if url != accepted]
        for url in others:
            if url not in attempts or (attempts[url].done() and attempts[url].exception()):
                attempts[url] = asyncio.create_task(asyncpg.connect(url, **options))
        done, _ = await asyncio.wait([attempts[url] for url in others], timeout=NEXT_SERVER_DELAY)
        runs: dict[str, ServerRun] = {}
        for url in others:
            if attempts[url] in done and not attempts[url].exception():
                runs[url] = await _run_of(attempts[url].result())
        return runs


async def _run_of(connection: Any) -> ServerRun:
    try:
        with driver_errors():
            return ServerRun(*await connection.fetchrow(_RUN))
    except asyncpg.PostgresError as error:
        raise UnavailableError("database", str(error)) from error


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


async def writable_servers(url: str) -> list[str]:
    """Return the servers of `url` that accept writes, each with its timeline: more than one is a fault."""
    runs = await asyncio.gather(*(_run_at(each) for each in server_urls(url)))
    named = zip(server_urls(url), runs, strict=True)
    return [f"{server_name(each)} (timeline {run.timeline})" for each, run in named if run and run.timeline]


async def _run_at(url: str) -> ServerRun | None:
    """Return the run of one server, or None if it is away or a standby."""
    try:
        with driver_errors():
            connection = await asyncpg.connect(url, timeout=SERVER_TIMEOUT, **NO_PREPARED_STATEMENTS)
    except UnavailableError:
        return None
    try:
        return await _run_of(connection)
    finally:
        connection.terminate()


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
