"""The tester processes of one load test, as the parent controls them: all of them run the same step at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from loadtest.errors import LoadTestError, first_error
from loadtest.plan import Share
from loadtest.worker.messages import pack, read

OnReport = Callable[[int, dict[str, Any]], None]
LEAVE = "leave"  # the last step
_BUFFER = 64 * 1024 * 1024  # bytes of one message
_STOP_TIMEOUT = 5.0  # seconds between closing a process's input and killing it


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One tester process and its unread replies."""

    number: int
    process: asyncio.subprocess.Process
    log: IO[bytes]
    replies: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    def send(self, message: dict[str, Any]) -> None:
        """Send a command; do nothing if the process has ended."""
        commands = cast(asyncio.StreamWriter, self.process.stdin)
        if not commands.is_closing():
            commands.write(pack(message))

    async def wait_for(self, step: str) -> dict[str, Any]:
        """Wait until the process has completed a step and return its reply; raise `LoadTestError` if it failed.

        The step `leave` is waited for even after an earlier step has failed.
        """
        while True:
            reply = await self.replies.get()
            if "ended" in reply:
                self.replies.put_nowait(reply)  # for later calls, which must fail as well
                raise LoadTestError(reply["ended"])
            if "fail" in reply and step != LEAVE:
                raise LoadTestError(reply["fail"])
            if reply.get("done") == step:
                return reply

    def last_log_line(self) -> str:
        """Return the last line that the process wrote to standard error."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class WorkerPool:
    """Starts the processes and runs steps in all of them; `on_report` is called with a process's number and report."""

    def __init__(self, on_report: OnReport) -> None:
        self._on_report = on_report
        self._workers: list[WorkerProcess] = []
        self._readers: list[asyncio.Task[None]] = []

    async def start(self, shares: Sequence[Share]) -> None:
        """Start a process for each share; each begins its preparation at once."""
        root = str(Path(__file__).parents[1])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        for share in shares:
            log = tempfile.TemporaryFile()  # noqa: SIM115 - closed together with the process
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "loadtest.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C must reach only the parent, which stops the processes in order
                limit=_BUFFER,
            )
            worker = WorkerProcess(share.process, process, log)
            self._workers.append(worker)
            self._readers.append(asyncio.create_task(self._read(worker)))
            worker.send({"do": "prepare", "share": share.to_wire()})

    async def wait_for_all(self, step: str) -> None:
        """Wait until all processes have completed a step; raise `LoadTestError` as soon as one fails."""
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self._workers:
                    group.create_task(worker.wait_for(step))
        except BaseExceptionGroup as group:
            raise first_error(group) from group

    async def finish(self, *, within: float) -> list[dict[str, Any]]:
        """Run the last step, and return the replies of the processes that complete it within so many seconds."""
        self.run_step(LEAVE)
        leaving = [asyncio.create_task(worker.wait_for(LEAVE)) for worker in self._workers]
        done, late = await asyncio.wait(leaving, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return [task.result() for task in leaving if task in done and task.exception() is None]

    def run_step(self, step: str) -> None:
        """Make all processes begin a step, or to `stop` the current one."""
        for worker in self._workers:
            worker.send({"do": step})

    async def close(self) -> None:
        """End the processes that are still running."""
        for worker in self._workers:
            if worker.process.returncode is None:
                cast(asyncio.StreamWriter, worker.process.stdin).close()
        for worker in self._workers:
            try:
                async with asyncio.timeout(_STOP_TIMEOUT):
                    await worker.process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
                await worker.process.wait()
            worker.log.close()
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _read(self, worker: WorkerProcess) -> None:
        output = cast(asyncio.StreamReader, worker.process.stdout)
        while (message := await read(output)) is not None:
            if "report" in message:
                self._on_report(worker.number, message["report"])
            else:
                worker.replies.put_nowait(message)
        code = await worker.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        line = worker.last_log_line()
        worker.replies.put_nowait({"ended": f"A tester process ended {how}{': ' + line if line else ''}."})
