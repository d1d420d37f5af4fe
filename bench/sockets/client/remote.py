"""A process of its own that holds clients and does what it is told over a pipe; idle, it goes on answering pings."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from bench.sockets.client.reactor import Reactor

_STOP_DEADLINE = 10.0  # seconds


class RemoteError(Exception):
    """Carry what went wrong in the other process, with its trace."""


class Remote:
    """The near end: call the methods of what the other process holds, one at a time."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe = pipe

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what the method returns; raise `RemoteError` for what it raises."""
        return await asyncio.to_thread(self._ask, method, arguments)

    def _ask(self, method: str, arguments: tuple[Any, ...]) -> Any:
        try:
            self._pipe.send((method, arguments))
            fine, outcome = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise RemoteError(f"the clients' process has ended; {method} was asked of it") from error
        if not fine:
            raise RemoteError(outcome)
        return outcome


@asynccontextmanager
async def remote(make: Callable[[Reactor], object]) -> AsyncIterator[Remote]:
    """Run a process for the time of the block that holds what `make` returns; `make` travels there."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_serve, args=(far, make), daemon=True)
    await asyncio.to_thread(process.start)
    far.close()
    try:
        yield Remote(near)
    finally:
        near.close()  # which ends the other side
        await asyncio.to_thread(process.join, _STOP_DEADLINE)
        if process.is_alive():
            process.kill()
            await asyncio.to_thread(process.join)


def _serve(pipe: Connection[Any, Any], make: Callable[[Reactor], object]) -> None:
    gc.disable()  # a pause here would be read as one of the server's; the process is short-lived
    reactor = Reactor()
    target = make(reactor)
    reactor.when_readable(pipe.fileno(), lambda: _obey(pipe, target))
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            reactor.turn()


def _obey(pipe: Connection[Any, Any], target: object) -> None:
    method, arguments = pipe.recv()
    try:
        outcome = (True, getattr(target, method)(*arguments))
    except Exception:  # noqa: BLE001 - whatever it is, it is told to who asked
        outcome = (False, traceback.format_exc())
    pipe.send(outcome)
