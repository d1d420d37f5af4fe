"""PicShare's process under test: its command, whether it serves, and what it says of itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from bench.report import Figure, figure
from bench.sockets.client.frames import client_frame
from bench.sockets.client.greeting import Manners, websocket_upgrade
from bench.sockets.server import STATE
from server.live.routes import WEBSOCKET

MANNERS = Manners(upgrade=websocket_upgrade(WEBSOCKET), ping=b"{}", pong=client_frame(b"{}"))
LONGEST_STALL = 20.0  # milliseconds that the event loop may be kept from what is due


@dataclass(frozen=True, kw_only=True)
class State:
    """How many connections the process holds, and its longest stall and garbage collection so far, in milliseconds."""

    connections: int
    stall: float
    collection: float

    def figures(self, when: str) -> list[Figure]:
        """Return the stalls as figures; `when` says what the process did so far."""
        return [
            figure("event loop", f"longest stall, {when}", "ms", [self.stall], at_most=LONGEST_STALL),
            figure("event loop", "longest run of the garbage collector", "ms", [self.collection]),
        ]


def command(kind: str, port: int, environment: Mapping[str, str]) -> list[str]:
    """Return the command of `bench.sockets.server` with these settings."""
    settings = [f"{name}={value}" for name, value in environment.items()]
    return ["env", *settings, sys.executable, "-m", "bench.sockets.server", kind, str(port)]


async def is_ready(port: int) -> bool:
    """Tell whether the process serves."""
    try:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def state(port: int) -> State:
    """Ask the process."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{STATE}") as answer:
        said = await answer.json()
    return State(connections=said["connections"], stall=said["stall"] * 1000, collection=said["collection"] * 1000)
