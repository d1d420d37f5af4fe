"""An object in a process of its own whose methods are called over a pipe; between calls it serves its sockets."""

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
    """An exception in the other process, with its traceback."""


class Remote:
    """Proxy of the object in the other process; calls are made one at a time."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe = pipe

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return the method's result; raise `RemoteError` for any exception in the other process."""
        return await asyncio.to_thread(self._call, method, arguments)

    def _call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        try:
            self._pipe.send((method, arguments))
            fine, outcome = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise RemoteError(f"the clients' process has ended during {method}") from error
        if not fine:
            raise RemoteError(outcome)
        return outcome


@asynccontextmanager
async def remote(make: Callable[[Reactor], object]) -> AsyncIterator[Remote]:
    """Run a process that holds the object that `make` returns; `make` is pickled. The process ends with the block."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_serve, args=(far, make), daemon=True)
    await asyncio.to_thread(process.start)
    far.close()
    try:
        yield Remote(near)
    finally:
        near.close()  # ends the loop in the other process
        await asyncio.to_thread(process.join, _STOP_DEADLINE)
        if process.is_alive():
            process.kill()
            await asyncio.to_thread(process.join)


def _serve(pipe: Connection[Any, Any], make: Callable[[Reactor], object]) -> None:
    gc.disable()  # a pause here would be measured as the server's; the process is short-lived
    reactor = Reactor()
    target = make(reactor)
    reactor.when_readable(pipe.fileno(), lambda: _execute(pipe, target))
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            reactor.turn()


def _execute(pipe: Connection[Any, Any], target: object) -> None:
    method, arguments = pipe.recv()
    try:
        outcome = (True, getattr(target, method)(*arguments))
    except Exception:  # noqa: BLE001 - it is raised again in the calling process
        outcome = (False, traceback.format_exc())
    pipe.send(outcome)
