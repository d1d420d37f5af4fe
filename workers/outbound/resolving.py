"""Look-up of host names, bounded in time.

The system's function blocks a thread for as long as a name server does not answer, half a minute and more. So it runs
in threads of its own, a few at most, which hold up neither the threads of other work nor the end of the process. All
requests for one name share one thread.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from workers.outbound.errors import OutboundError

TIMEOUT = 5.0  # seconds
THREADS = 16

SystemLookup = Callable[[str], Sequence[str]]


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def lookup(self, host: str) -> Sequence[str]:
        """Return the addresses of a name, best first; raise `OutboundError("dns")`."""
        ...


def system_lookup(host: str) -> Sequence[str]:
    """Return the addresses that the system knows for a name; raise `OSError`. Blocks."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(address[0]) for _, _, _, _, address in found]


class SystemResolver:
    """The resolver of the system; `lookup` is replaced in tests."""

    def __init__(self, lookup: SystemLookup = system_lookup, *, timeout: float = TIMEOUT) -> None:
        self._system = lookup
        self._timeout = timeout
        self._slots = asyncio.Semaphore(THREADS)
        self._pending: dict[str, asyncio.Task[Sequence[str]]] = {}

    async def lookup(self, host: str) -> Sequence[str]:
        """Return the addresses of a name; raise `OutboundError("dns")`."""
        task = self._pending.get(host)
        if task is None:
            task = self._pending[host] = asyncio.create_task(self._run(host))
            task.add_done_callback(lambda done: self._ended(host, done))
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(task)
        except TimeoutError as error:
            raise OutboundError("dns", f"no name server has answered within {self._timeout:g} s") from error
        except (OSError, UnicodeError) as error:
            raise OutboundError("dns", f"the name {host} has no address") from error

    async def _run(self, host: str) -> Sequence[str]:
        async with self._slots:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Sequence[str]] = loop.create_future()

            def run() -> None:
                try:
                    found, error = self._system(host), None
                except Exception as caught:  # noqa: BLE001 - reaches the caller through the future
                    found, error = (), caught
                try:
                    loop.call_soon_threadsafe(_settle, future, found, error)
                except RuntimeError:
                    return  # the loop was closed meanwhile, and nothing waits any more

            threading.Thread(target=run, name="resolver", daemon=True).start()
            return await future

    def _ended(self, host: str, task: asyncio.Task[Sequence[str]]) -> None:
        self._pending.pop(host, None)
        if not task.cancelled():
            task.exception()  # every request for it may have timed out before


def _settle(future: asyncio.Future[Sequence[str]], found: Sequence[str], error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(found)
