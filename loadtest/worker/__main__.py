"""Run a tester process: `python -m loadtest.worker`, led through standard input and output.

The parent sends {"do": "prepare", "share": …}, then "connect", "act" and "leave", each after the answer
{"done": step} to the one before; {"do": "stop"} ends the step under way early. A step that cannot be done is
answered with {"fail": sentence}. Every second the process tells what it measured: {"beat": …}. It ends with the
parent: its input ends then.
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

BEAT = 1.0  # seconds
_BUFFER = 256 * 1024 * 1024  # bytes of one message: the tokens of very many people


class Process:
    """Do the parent's bidding."""

    def __init__(self, orders: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        self._orders = orders
        self._answers = answers
        self._steps: asyncio.Queue[str] = asyncio.Queue()
        self._step: asyncio.Task[list[list[str]] | None] | None = None
        self._stopped = False

    async def run(self) -> None:
        """Serve until the last step is done or the parent is gone."""
        first = await read(self._orders)
        if first is None:
            return
        async with asyncio.TaskGroup() as group:
            tester = Tester(Share.from_wire(first["share"]), group)
            beats = group.create_task(self._beat(tester))
            watch = group.create_task(tester.watch.run())
            listening = group.create_task(self._listen(tester))
            self._steps.put_nowait("prepare")
            while (step := await self._steps.get()) != "leave":
                await self._do(tester, step)
            tokens = await tester.leave()
            for task in (beats, watch, listening):
                task.cancel()
            self._send({"beat": self._measured(tester)})
            self._send({"done": "leave", "tokens": tokens, "notice": tester.untidy})
            await self._answers.drain()

    async def _do(self, tester: Tester, step: str) -> None:
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
        self._send({"beat": self._measured(tester)})
        self._send({"done": step})

    async def _listen(self, tester: Tester) -> None:
        while (order := await read(self._orders)) is not None:
            if order["do"] != "stop":
                self._steps.put_nowait(order["do"])
                continue
            self._stopped = True
            tester.stop.set()
            if self._step is not None and not tester.crowd.sockets:
                self._step.cancel()  # the preparation; what comes after it looks at `stop` by itself
        os._exit(1)  # the parent is gone, and nobody waits for an orderly end

    async def _beat(self, tester: Tester) -> None:
        while True:
            await asyncio.sleep(BEAT)
            self._send({"beat": self._measured(tester)})
            await self._answers.drain()

    def _measured(self, tester: Tester) -> dict[str, Any]:
        usage = tester.watch.usage()
        return {
            "second": time.monotonic() - tester.share.began - usage.passed / 2,
            "measures": tester.measures.take().to_wire(),
            "connected": tester.crowd.connected_now,
            "busy": usage.busy,
            "passed": usage.passed,
            "done": tester.community.done,
            "steps": tester.community.steps,
            "notice": tester.rest.notice,
        }

    def _send(self, message: dict[str, Any]) -> None:
        self._answers.write(pack(message))


async def serve() -> None:
    """Connect the pipes and serve."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=_BUFFER)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(os.dup(1), "wb"))
    # Whatever a library prints must not be taken for an answer.
    os.dup2(2, 1)
    await Process(orders, asyncio.StreamWriter(transport, protocol, None, loop)).run()


def main() -> None:
    """Run on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
