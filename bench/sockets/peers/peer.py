"""A peer as the measurement sees it: a name, and a function that runs it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.sockets.client.broadcast_clients import PeerProtocol


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running server: `pid` is the process whose CPU time counts, `publish_port` takes the messages."""

    pid: int
    port: int
    publish_port: int
    protocol: PeerProtocol


@dataclass(frozen=True, kw_only=True)
class PeerServer:
    """A server that runs on the server's core until the end of a block, with its files in a folder."""

    name: str
    run: Callable[[Path, Cores], AbstractAsyncContextManager[Running]]
