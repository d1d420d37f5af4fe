"""What every peer is to the measurement: a name, and a way to run it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.sockets.client.broadcast_clients import Dialect


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that runs: `pid` is the process whose CPU counts, `publish_port` where messages are brought."""

    pid: int
    port: int
    publish_port: int
    dialect: Dialect


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A server that can be run for the time of a block, on the server's core, with its files in a folder."""

    name: str
    run: Callable[[Path, Cores], AbstractAsyncContextManager[Running]]
