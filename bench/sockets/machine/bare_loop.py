"""The yardstick for stalls and for the storm: one turn of a bare event loop over many ready sockets.

A turn asks epoll which sockets are ready, and for each one makes one recv and one send: the least that any loop in
Python does for a connection that wants something. The loop runs on the server's core, in a process of its own:
`python -m bench.sockets.machine.bare_loop TURNS` prints milliseconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import sys
import time
from contextlib import ExitStack

from bench.cores import Cores

SOCKETS = 1000
TURNS = 9  # of each process, whose median counts
_BODY = b"x" * 300


async def bare_turn(cores: Cores) -> float:
    """Return the median turn over `SOCKETS` ready sockets, in milliseconds; the server under test should be idle."""
    command = cores.on_server_core([sys.executable, "-m", __name__, str(TURNS)])
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise ChildProcessError(f"the bare loop ended with {process.returncode}")
    return float(json.loads(output))


def median_turn(sockets: int, turns: int) -> float:
    """Return the median of some turns, in milliseconds; blocks."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=sockets))
        pairs = [_pair(listener, stack) for _ in range(sockets)]
        poll = stack.enter_context(select.epoll())
        served = {server.fileno(): server for server, _ in pairs}
        for descriptor in served:
            poll.register(descriptor, select.EPOLLIN)
        times = sorted(_turn(poll, served, pairs) for _ in range(turns))
    return times[len(times) // 2] * 1000


def _pair(listener: socket.socket, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return the server's end and the client's end of a new connection."""
    client = stack.enter_context(socket.create_connection(listener.getsockname()))
    return stack.enter_context(listener.accept()[0]), client


def _turn(
    poll: select.epoll, served: dict[int, socket.socket], pairs: list[tuple[socket.socket, socket.socket]]
) -> float:
    """Make every socket ready, and return the seconds that it takes to read from and write to all of them.

    Nothing here waits, so the thread's CPU time is what the turn takes on a core that no other process uses.
    """
    for _, client in pairs:
        client.send(_BODY)
    started, left = time.thread_time(), len(pairs)
    while left:
        for descriptor, _ in poll.poll(None, len(pairs)):
            ready = served[descriptor]
            ready.recv(4096)
            ready.send(_BODY)
            left -= 1
    passed = time.thread_time() - started
    for _, client in pairs:
        client.recv(4096)
    return passed


if __name__ == "__main__":
    print(json.dumps(median_turn(SOCKETS, int(sys.argv[1]))))
