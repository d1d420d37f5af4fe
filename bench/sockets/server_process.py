"""PicShare's process under test: its command, its readiness, and the state that it reports."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from bench.report import RATIO, Figure, figure
from bench.sockets.client.frames import client_frame
from bench.sockets.client.handshake import Opening, websocket_upgrade
from bench.sockets.machine.bare_loop import SOCKETS
from bench.sockets.server import STATE
from server.live.routes import WEBSOCKET

OPENING = Opening(request=websocket_upgrade(WEBSOCKET), ping=b"{}", pong=client_frame(b"{}"))
LONGEST_STALL = 8.0  # turns of a bare loop


@dataclass(frozen=True, kw_only=True)
class State:
    """Connections of the process, and its longest stall and garbage collection so far, in milliseconds."""

    connections: int
    stall: float
    collection: float

    def figures(self, when: str, turns: Sequence[float]) -> list[Figure]:
        """Return the stalls as figures: of the run so far, which `when` names, and in turns of the bare loop.

        `turns` are milliseconds of `bare_turn`, measured between the rounds of the same run.
        """
        return [
            figure("event loop", f"longest stall, {when}", "ms", [self.stall]),
            figure("event loop", "longest run of the garbage collector", "ms", [self.collection]),
            figure("event loop", f"a bare loop's turn over {SOCKETS:,} ready sockets", "ms", turns),
            figure(
                "event loop",
                "longest stall : that turn",
                RATIO,
                [self.stall / turn for turn in turns],
                at_most=LONGEST_STALL,
                limit=f"one recv and one send for each of {LONGEST_STALL * SOCKETS:,.0f} ready sockets",
            ),
        ]


def command(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the command of a server's module with these settings."""
    settings = [f"{name}={value}" for name, value in environment.items()]
    return ["env", *settings, sys.executable, "-m", module, *arguments]


async def is_ready(port: int) -> bool:
    """Return whether the process is ready."""
    try:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def state(port: int) -> State:
    """Return the state that the process reports."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{STATE}") as response:
        document = await response.json()
    return State(
        connections=document["connections"], stall=document["stall"] * 1000, collection=document["collection"] * 1000
    )
