"""The yardstick: the least that a loop in Python does for a ping and its pong.

`python -m bench.keepalive.bare_loop PORT INTERVAL` accepts connections, greets each one, and sends every connection the
bytes of a ping once in each interval, spread evenly over the ticks of a quarter of a second. What arrives is read and
forgotten: no frame is parsed, no deadline is kept, and no client is ever closed.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time

TICK = 0.25  # seconds, as in the service
PING = b"\x81\x02{}"
GREETING = b"\x81\x02in"


def serve(port: int, interval: float) -> None:
    """Serve until killed."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    with listener, select.epoll() as poll:
        poll.register(listener, select.EPOLLIN)
        clients: dict[int, socket.socket] = {}
        slots: list[list[int]] = [[] for _ in range(max(1, round(interval / TICK)))]
        turn, due = 0, time.monotonic()
        while True:
            for descriptor, _ in poll.poll(max(0.0, due - time.monotonic()), 32):
                if descriptor == listener.fileno():
                    client, _ = listener.accept()
                    clients[client.fileno()] = client
                    slots[client.fileno() % len(slots)].append(client.fileno())
                    poll.register(client, select.EPOLLIN)
                    client.send(GREETING)
                elif not _read(descriptor):
                    slots[descriptor % len(slots)].remove(descriptor)
                    clients.pop(descriptor).close()
            if time.monotonic() >= due:
                due += TICK
                for descriptor in slots[turn]:
                    os.write(descriptor, PING)
                turn = (turn + 1) % len(slots)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 16_384)
    except ConnectionResetError:
        return b""


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
