"""A serving process that serves nothing: it reports its start, answers its parent, and ends as the first argument says.

`python serving_child.py MODE --inherited TEXT`; the mode is `serve`, `fail` (ends before it has started, with 2), or
`crash` (ends by itself, with 1, when it has started).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from server.operation.process_link import Inherited, ParentLink


def render() -> bytes:
    """Return metrics."""
    return b"# HELP pid The process.\n# TYPE pid gauge\npid %d\n" % os.getpid()


async def main(mode: str, inherited: Inherited) -> None:
    """Run until SIGTERM, or as long as the mode says."""
    if mode == "fail":
        sys.exit(2)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    link = ParentLink(inherited, render)
    running = asyncio.create_task(link.run())
    await link.started()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    if mode == "crash":
        os._exit(1)
    await stop.wait()
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Inherited.from_text(sys.argv[3])))
