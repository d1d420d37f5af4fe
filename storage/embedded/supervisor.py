"""Run an engine as a child process that cannot outlive its parent, even if the parent is killed.

`child` runs it once; `supervised` restarts it when it ends.

On Linux the kernel sends the child a signal when the parent dies (prctl(2), PR_SET_PDEATHSIG).
PostgreSQL does not run as root. If the parent does, the child enters a new user namespace in which root is
user 1000 (user_namespaces(7)), so that no file has to change its owner or mode.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import structlog

from storage.cancellation import cancel_requested
from storage.embedded.disk_space import DiskSpace
from storage.errors import EngineError, EngineLostError

log = structlog.get_logger(__name__)

STOP_DEADLINE = 20.0  # seconds for an engine to stop before it is killed
RESTART_DELAYS = (0.1, 0.5, 1.0, 2.0, 4.0)  # seconds; after as many failed restarts in a row the engine is given up
STABLE_TIME = 10.0  # seconds; an engine that ran for longer starts with the first delay again
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_SOCKET_PATH_LIMIT = 90  # bytes; sun_path holds 108 at most, and the engines append a name


class EngineWatch:
    """The supervised engines of this process, which a service of the process watches."""

    def __init__(self) -> None:
        self._supervisors: list[asyncio.Task[NoReturn]] = []

    def add(self, supervisor: asyncio.Task[NoReturn]) -> None:
        """Watch one more engine."""
        self._supervisors.append(supervisor)

    async def run(self) -> None:
        """Wait until an engine is given up, and raise its `EngineLostError`; without engines, wait until cancelled."""
        if not self._supervisors:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._supervisors, return_when=asyncio.FIRST_COMPLETED)
        for supervisor in done:
            supervisor.result()


@asynccontextmanager
async def supervised(
    open_child: Callable[[], AbstractAsyncContextManager[asyncio.subprocess.Process]],
    *,
    name: str,
    log_file: Path,
    watch: EngineWatch | None = None,
    space: DiskSpace | None = None,
) -> AsyncIterator[None]:
    """Run an engine until the end of the context, and restart it with backoff whenever it ends.

    `open_child` starts it once, as `child` does. Raises `EngineError` if the first start fails. An engine that is given
    up is reported to `watch`; while `space` is full none is given up, because a restart from outside would not help.
    """
    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    supervisor = asyncio.create_task(_keep_running(open_child, started, name=name, log_file=log_file, space=space))
    try:
        await asyncio.wait((started, supervisor), return_when=asyncio.FIRST_COMPLETED)
        if supervisor.done():
            supervisor.result()
        if watch is not None:
            watch.add(supervisor)
        yield
    finally:
        # On its cancellation the supervisor stops the engine.
        supervisor.cancel()
        await asyncio.wait((supervisor,))
        if not supervisor.cancelled():
            supervisor.exception()  # marks it as retrieved: it was raised above, or logged and reported to `watch`


async def _keep_running(
    open_child: Callable[[], AbstractAsyncContextManager[asyncio.subprocess.Process]],
    started: asyncio.Future[None],
    *,
    name: str,
    log_file: Path,
    space: DiskSpace | None,
) -> NoReturn:
    """Start an engine again after each end; raise `EngineError` if the first start fails, later `EngineLostError`."""
    failures = 0
    while True:
        ready_at = None
        try:
            async with open_child() as process:
                ready_at = time.monotonic()
                if started.done():
                    log.warning("engine_restarted", engine=name, failures=failures)
                else:
                    started.set_result(None)
                code = await process.wait()
            reason = f"ended with code {code}: {log_tail(log_file)}"
        except EngineError as error:
            if not started.done():
                raise
            reason = error.detail
        if ready_at is not None and time.monotonic() - ready_at > STABLE_TIME:
            failures = 0
        failures += 1
        if space is not None and space.full:
            # With one restart left for the time when there is space again.
            failures = min(failures, len(RESTART_DELAYS) - 1)
        if failures > len(RESTART_DELAYS):
            log.error("engine_lost", engine=name, failures=failures, reason=reason)
            raise EngineLostError(name, reason, failures=failures)
        delay = RESTART_DELAYS[failures - 1]
        log.warning("engine_ended", engine=name, failures=failures, reason=reason, retry_seconds=delay)
        await asyncio.sleep(delay)


@asynccontextmanager
async def child(
    command: Sequence[str],
    *,
    name: str,
    log_file: Path,
    stop_signal: signal.Signals,
    ready: Callable[[], Awaitable[bool]],
    deadline: float,
    unprivileged: bool = False,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start `command`, wait until `ready`, and stop it with `stop_signal` at the end of the context.

    `deadline` is in seconds. Raises `EngineError` with the last lines of the log if the engine does not start.
    """
    process = await start(command, name=name, log_file=log_file, stop_signal=stop_signal, unprivileged=unprivileged)
    try:
        await _wait_ready(process, name=name, log_file=log_file, ready=ready, deadline=deadline)
        yield process
    finally:
        await stop(process, stop_signal)


async def start(
    command: Sequence[str],
    *,
    name: str,
    log_file: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    unprivileged: bool = False,
) -> asyncio.subprocess.Process:
    """Start `command` in a new session with its output appended to `log_file`; raise `EngineError`."""
    prepare = _child_setup(os.getpid(), stop_signal, enter_namespace=unprivileged and os.geteuid() == 0)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    try:
        with log_file.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment, "LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=prepare,
            )
    except (OSError, subprocess.SubprocessError) as error:
        hint = "; run PicShare as a user other than root" if unprivileged and os.geteuid() == 0 else ""
        raise EngineError(name, f"{command[0]} cannot be started: {error}{hint}") from error


async def stop(process: asyncio.subprocess.Process, stop_signal: signal.Signals) -> None:
    """Stop a child with `stop_signal`, and with SIGKILL after `STOP_DEADLINE`."""
    if process.returncode is not None:
        return
    process.send_signal(stop_signal)
    try:
        async with asyncio.timeout(STOP_DEADLINE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def socket_directory(data: Path) -> Path:
    """Return a 0700 directory for unix sockets: in `data`, or in the temporary directory if that path is too long."""
    inside = data / "run"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
        inside.mkdir(mode=0o700, parents=True, exist_ok=True)
        return inside
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"picshare-{os.getuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise EngineError("sockets", f"{short} belongs to another user; remove it or choose a shorter data directory")
    return short


def log_tail(log_file: Path, lines: int = 3) -> str:
    """Return the last lines of an engine's log, as one line."""
    try:
        text = log_file.read_text(errors="replace")
    except OSError:
        return "no log"
    return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip()) or "empty log"


async def _wait_ready(
    process: asyncio.subprocess.Process,
    *,
    name: str,
    log_file: Path,
    ready: Callable[[], Awaitable[bool]],
    deadline: float,
) -> None:
    try:
        async with asyncio.timeout(deadline):
            while not await ready():
                if process.returncode is not None:
                    raise EngineError(name, f"stopped with code {process.returncode}: {log_tail(log_file)}")
                await asyncio.sleep(0.01)
            # A driver may take a cancellation for the end of its connection. The stop would then wait for ever.
            if cancel_requested():
                raise asyncio.CancelledError
    except TimeoutError as error:
        raise EngineError(name, f"not ready after {deadline:.0f} s: {log_tail(log_file)}") from error


def _child_setup(parent: int, death_signal: signal.Signals, *, enter_namespace: bool) -> Callable[[], None] | None:
    """Return the function that runs in the child between fork and exec, where libc cannot be loaded any more."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        if enter_namespace:
            _enter_user_namespace(libc)
        # This comes after the namespace, because a change of credentials clears the signal.
        libc.prctl(_PR_SET_PDEATHSIG, death_signal.value, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _enter_user_namespace(libc: ctypes.CDLL) -> None:
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace")
    for file, text in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        descriptor = os.open(f"/proc/self/{file}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)
