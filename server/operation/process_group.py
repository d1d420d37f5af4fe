"""Group of serving processes on one port: a parent binds the port, starts the processes, and restarts each that ends.

All processes accept from the parent's one listening socket. With a socket each (SO_REUSEPORT) the kernel would assign a
connection to a process before that accepts it, and reset those of a process that dies or drains; here they wait in the
common queue, which the parent keeps open, and a busy process leaves them to the others. The processes are executed, and
not forked, so that none shares random numbers, threads or an event loop with another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from server.operation.exposition import merged
from server.operation.process_link import METRICS, STARTED, Inherited, Link, LinkError

log = structlog.get_logger(__name__)

FIRST_DELAY = 0.1  # seconds until the first restart; twice as long after each further end
LONGEST_DELAY = 30.0
STABLE_TIME = 10.0  # seconds; a process that ran for longer is restarted with the first delay again
METRICS_DEADLINE = 3.0  # seconds; a process that does not answer is left out of a scrape
_ENDED_BY_US = {0, -signal.SIGTERM}  # SIGTERM before a process has its handlers


class GroupMetrics:
    """Metrics of a group of serving processes, which belong to none of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.started = Gauge(
            "picshare_serving_processes",
            "Serving processes of one parent (--workers) that have started and run.",
            registry=registry,
        )
        self.restarts = Counter(
            "picshare_serving_process_restarts",
            "Serving processes that ended by themselves and were restarted.",
            registry=registry,
        )


@dataclass(eq=False)
class _Member:
    """One running process of the group."""

    process: asyncio.subprocess.Process
    link: Link
    started: bool = False


class ProcessGroup:
    """`size` processes of `command`, which gets the option `--inherited` with what `Inherited` describes.

    `service` and `plain` are bound sockets, and those of the group from now on.
    """

    def __init__(
        self,
        command: Sequence[str],
        size: int,
        *,
        service: Sequence[socket.socket],
        plain: Sequence[socket.socket] = (),
    ) -> None:
        self._command = command
        self._size = size
        self._service = service
        self._plain = plain
        self._members: dict[int, _Member] = {}
        self._stopping = asyncio.Event()
        self._codes: list[int] = []
        self._registry = CollectorRegistry()
        self._metrics = GroupMetrics(self._registry)

    async def run(self) -> int:
        """Run the processes until a signal arrives and all have ended; return the exit code.

        It is that of the process that could not start, if one of the first ones could not.
        """
        with self._signals():
            async with asyncio.TaskGroup() as tasks:
                for number in range(self._size):
                    tasks.create_task(self._keep_running(number))
        return next((code for code in self._codes if code not in _ENDED_BY_US), 0)

    def stop(self) -> None:
        """Let all processes stop as by SIGTERM."""
        self._stopping.set()
        # The processes have copies. The port is free when the last of them has closed its own.
        for listener in (*self._service, *self._plain):
            listener.close()
        self._send(signal.SIGTERM)

    async def metrics(self) -> bytes:
        """Return the metrics of all processes, with the number of each as the label `process`."""
        members = dict(self._members)
        replies = await asyncio.gather(
            *(member.link.call(METRICS, deadline=METRICS_DEADLINE) for member in members.values()),
            return_exceptions=True,
        )
        texts: dict[int, bytes] = {}
        for number, reply in zip(members, replies, strict=True):
            if isinstance(reply, bytes):
                texts[number] = reply
            elif isinstance(reply, LinkError):
                log.warning("serving_process_silent", process=number, error=str(reply))
            else:
                raise reply
        return merged(texts, generate_latest(self._registry))

    async def _keep_running(self, number: int) -> None:
        failures, was_started = 0, False
        while not self._stopping.is_set():
            began = time.monotonic()
            code, started = await self._run_once(number)
            was_started = was_started or started
            if self._stopping.is_set() or not was_started:
                # What prevents the first start, as a wrong setting, prevents every other as well.
                self._codes.append(code)
                if not self._stopping.is_set():
                    self.stop()
                return
            failures = 1 if time.monotonic() - began > STABLE_TIME else failures + 1
            delay = min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY)
            log.warning("serving_process_ended", process=number, code=code, failures=failures, retry_seconds=delay)
            self._metrics.restarts.inc()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()

    async def _run_once(self, number: int) -> tuple[int, bool]:
        """Run a process to its end; return its exit code, and whether it had started."""
        ours, its = socket.socketpair()
        with its:
            process = await self._execute(number, its)

        async def answer(name: str) -> bytes:
            if name == METRICS:
                return await self.metrics()
            if name != STARTED:
                raise LinkError(f"a serving process calls {name}")
            member.started = True
            self._count_started()
            return b""

        member = self._members[number] = _Member(process, Link(ours, answer))
        if self._stopping.is_set():
            self._send(signal.SIGTERM)
        linked = asyncio.create_task(member.link.run())
        try:
            return await process.wait(), member.started
        finally:
            linked.cancel()
            await asyncio.gather(linked, return_exceptions=True)
            del self._members[number]
            self._count_started()

    async def _execute(self, number: int, link: socket.socket) -> asyncio.subprocess.Process:
        service, plain = ([listener.fileno() for listener in some] for some in (self._service, self._plain))
        inherited = Inherited(number=number, link=link.fileno(), service=tuple(service), plain=tuple(plain))
        return await asyncio.create_subprocess_exec(
            *self._command,
            "--inherited",
            inherited.to_text(),
            pass_fds=(link.fileno(), *service, *plain),
            stdin=asyncio.subprocess.DEVNULL,
            # Ctrl-C must reach only the parent, or the processes would get it and the parent's SIGTERM.
            start_new_session=True,
            env=python_environment(os.environ),
        )

    def _count_started(self) -> None:
        self._metrics.started.set(sum(member.started for member in self._members.values()))

    def _send(self, number: signal.Signals) -> None:
        for member in self._members.values():
            if member.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    member.process.send_signal(number)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def terminate(number: signal.Signals) -> None:
            if self._stopping.is_set():
                log.warning("stopped_immediately", signal=number.name)
                self._send(signal.SIGKILL)
                os._exit(128 + number)
            log.info("stopping", reason="signal")
            self.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, terminate, number)
        loop.add_signal_handler(signal.SIGHUP, self._send, signal.SIGHUP)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)


def python_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which another interpreter imports the same modules as this one."""
    return {**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
