"""The tester processes of one load test, as the parent leads them: step by step, all together."""

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

from loadtest.errors import LoadTestError, first_of
from loadtest.plan import Share
from loadtest.worker.messages import pack, read

Beat = Callable[[int, dict[str, Any]], None]
LEAVE = "leave"  # the last step
_BUFFER = 64 * 1024 * 1024  # bytes of one message
_STOP_PATIENCE = 5.0  # seconds between asking a process to end and killing it


@dataclass(slots=True, eq=False)
class Member:
    """One tester process and what it said last."""

    number: int
    process: asyncio.subprocess.Process
    log: IO[bytes]
    answers: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    def send(self, message: dict[str, Any]) -> None:
        """Send an order; one who is gone does not hear it."""
        orders = cast(asyncio.StreamWriter, self.process.stdin)
        if not orders.is_closing():
            orders.write(pack(message))

    async def has_done(self, step: str) -> dict[str, Any]:
        """Wait until the process has done a step and return its answer; raise `LoadTestError` when it cannot.

        Who failed before can still leave.
        """
        while True:
            answer = await self.answers.get()
            if "ended" in answer:
                self.answers.put_nowait(answer)  # whoever asks again hears the same
                raise LoadTestError(answer["ended"])
            if "fail" in answer and step != LEAVE:
                raise LoadTestError(answer["fail"])
            if answer.get("done") == step:
                return answer

    def last_words(self) -> str:
        """Return the last line that the process wrote for people."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class Crew:
    """Start the processes and let all of them do a step; `on_beat` gets each one's number and what it measured."""

    def __init__(self, on_beat: Beat) -> None:
        self._on_beat = on_beat
        self._members: list[Member] = []
        self._listening: list[asyncio.Task[None]] = []

    async def start(self, shares: Sequence[Share]) -> None:
        """Start a process for each share; their preparation begins at once."""
        root = str(Path(__file__).parents[1])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        for share in shares:
            log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the member
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "loadtest.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C is for the parent, which tells them
                limit=_BUFFER,
            )
            member = Member(share.process, process, log)
            self._members.append(member)
            self._listening.append(asyncio.create_task(self._listen(member)))
            member.send({"do": "prepare", "share": share.to_wire()})

    async def all_done(self, step: str) -> None:
        """Wait until everybody has done a step; raise `LoadTestError` as soon as one could not."""
        try:
            async with asyncio.TaskGroup() as group:
                for member in self._members:
                    group.create_task(member.has_done(step))
        except BaseExceptionGroup as group:
            raise first_of(group) from group

    async def dismissed(self, *, within: float) -> list[dict[str, Any]]:
        """Let everybody who still lives leave, and return their last words; those who take too long have none."""
        self.do(LEAVE)
        leaving = [asyncio.create_task(member.has_done(LEAVE)) for member in self._members]
        done, late = await asyncio.wait(leaving, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return [task.result() for task in leaving if task in done and task.exception() is None]

    def do(self, step: str) -> None:
        """Let everybody begin a step, or `stop` the one under way."""
        for member in self._members:
            member.send({"do": step})

    async def close(self) -> None:
        """End the processes that still run."""
        for member in self._members:
            if member.process.returncode is None:
                cast(asyncio.StreamWriter, member.process.stdin).close()
        for member in self._members:
            try:
                async with asyncio.timeout(_STOP_PATIENCE):
                    await member.process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    member.process.kill()
                await member.process.wait()
            member.log.close()
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)

    async def _listen(self, member: Member) -> None:
        answers = cast(asyncio.StreamReader, member.process.stdout)
        while (message := await read(answers)) is not None:
            if "beat" in message:
                self._on_beat(member.number, message["beat"])
            else:
                member.answers.put_nowait(message)
        code = await member.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        words = member.last_words()
        member.answers.put_nowait({"ended": f"A tester process ended {how}{': ' + words if words else ''}."})
