"""Run a tester process: `python -m loadtest.worker`, controlled through standard input and output.

The parent sends {"do": "prepare", "share": …}, then "connect", "act" and "leave", each after the reply {"done": step}
to the one before; {"do": "stop"} ends the current step early. A failed step is answered with {"fail": sentence}.
Every second the process sends {"report": …} with what it measured. It exits when its input is closed, so it ends with
the parent.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

from loadtest.errors import LoadTestError
from loadtest.plan import Share
from loadtest.worker.messages import pack, read
from loadtest.worker.tester import Tester

REPORT_INTERVAL = 1.0  # seconds
_BUFFER = 256 * 1024 * 1024  # bytes of one message; the tokens of very many accounts fit


class WorkerMain:
    """Runs the steps that the parent requests."""

    def __init__(self, commands: asyncio.StreamReader, replies: asyncio.StreamWriter) -> None:
        self._commands = commands
        self._replies = replies
        self._steps: asyncio.Queue[str] = asyncio.Queue()
        self._step: asyncio.Task[list[list[str]] | None] | None = None
        self._stopped = False

    async def run(self) -> None:
        """Run until the last step is complete or the parent has ended."""
        first = await read(self._commands)
        if first is None:
            return
        async with asyncio.TaskGroup() as group:
            tester = Tester(Share.from_wire(first["share"]), group)
            reports = group.create_task(self._send_reports(tester))
            monitor = group.create_task(tester.monitor.run())
            reading = group.create_task(self._read_commands(tester))
            self._steps.put_nowait("prepare")
            while (step := await self._steps.get()) != "leave":
                await self._run_step(tester, step)
            tokens = await tester.leave()
            for task in (reports, monitor, reading):
                task.cancel()
            self._send({"report": self._report(tester)})
            self._send({"done": "leave", "tokens": tokens, "notice": tester.cleanup_notice})
            await self._replies.drain()

    async def _run_step(self, tester: Tester, step: str) -> None:
        work = {"prepare": tester.prepare, "connect": tester.connect, "act": tester.act}[step]
        try:
            self._step = asyncio.create_task(work())
            await self._step
        except LoadTestError as error:
            self._send({"fail": str(error)})
            return
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        self._send({"report": self._report(tester)})
        self._send({"done": step})

    async def _read_commands(self, tester: Tester) -> None:
        while (command := await read(self._commands)) is not None:
            if command["do"] != "stop":
                self._steps.put_nowait(command["do"])
                continue
            self._stopped = True
            tester.stop.set()
            if self._step is not None and not tester.audience.sockets:
                self._step.cancel()  # the preparation; the later steps check `stop` themselves
        os._exit(1)  # the parent has ended, so no process waits for an orderly end

    async def _send_reports(self, tester: Tester) -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
            self._send({"report": self._report(tester)})
            await self._replies.drain()

    def _report(self, tester: Tester) -> dict[str, Any]:
        usage = tester.monitor.usage()
        return {
            "second": time.monotonic() - tester.share.began - usage.passed / 2,
            "measures": tester.measures.take().to_wire(),
            "connected": tester.audience.connected_now,
            "busy": usage.busy,
            "passed": usage.passed,
            "done": tester.community.done,
            "steps": tester.community.steps,
            "notice": tester.rest.notice,
        }

    def _send(self, message: dict[str, Any]) -> None:
        self._replies.write(pack(message))


async def serve() -> None:
    """Connect the pipes and run."""
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=_BUFFER)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(os.dup(1), "wb"))
    # Output that a library prints must not be read as a reply, so standard output becomes standard error.
    os.dup2(2, 1)
    await WorkerMain(commands, asyncio.StreamWriter(transport, protocol, None, loop)).run()


def main() -> None:
    """Run on uvloop if it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - not available on every platform
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
