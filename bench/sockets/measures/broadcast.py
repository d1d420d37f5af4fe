"""One message to all sockets of a server: CPU time for each delivery, of PicShare and of its peers.

All servers run at the same time, each with its own clients. Each round measures them one after the other, so that other
work on the machine affects all of them alike; ratios are formed within each round.
"""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.report import RATIO, Figure, figure, ratios
from bench.sockets.machine.bare_loop import bare_turn
from bench.sockets.measures.running_peer import RunningPeer, run_peer
from bench.sockets.peers.installed import require_peers
from bench.sockets.peers.nchan import NCHAN
from bench.sockets.peers.picshare import PICSHARE
from bench.sockets.peers.programs import SEND_LOOP, SOCKET_IO, WS
from bench.sockets.server_process import state

PEERS = (PICSHARE, NCHAN, WS, SOCKET_IO, SEND_LOOP)
GOALS = {NCHAN.name: 0.9, WS.name: 0.75, SOCKET_IO.name: 0.6, SEND_LOOP.name: 1.5}
BURST = 10
BURST_GOAL = 0.35
UNIT = "µs"
WARM_UP = 100_000  # deliveries of each kind; the just-in-time compilers of the peers need as many

SINGLE, BURSTS = "one message at a time", f"{BURST} messages together"


@dataclass(frozen=True, kw_only=True)
class _Load:
    """Sockets and rounds, and for each round the number of single messages and of bursts."""

    sockets: int
    rounds: int
    single: int
    bursts: int


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return each server's cost, the ratios, and PicShare's longest stall."""
    require_peers()
    if quick:
        loads = [_Load(sockets=1000, rounds=3, single=30, bursts=3)]
    else:
        loads = [
            _Load(sockets=1000, rounds=7, single=60, bursts=10),
            _Load(sockets=5000, rounds=15, single=20, bursts=3),
        ]
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        servers = [
            await stack.enter_async_context(run_peer(peer, number, folder, cores)) for number, peer in enumerate(PEERS)
        ]
        turns = [await bare_turn(cores)]
        for load in loads:
            await _run(servers, load)
            figures += _figures(servers, load)
            turns.append(await bare_turn(cores))
        ours = await state(servers[0].running.port)
    return [*figures, *ours.figures("connecting and broadcasting", turns)]


async def _run(servers: list[RunningPeer], load: _Load) -> None:
    for server in servers:
        server.costs = {SINGLE: [], BURSTS: []}
        await server.connect(load.sockets)
        await server.clients.call("broadcast", WARM_UP // load.sockets, 1)
        await server.clients.call("broadcast", WARM_UP // load.sockets // BURST * BURST, BURST)
    for _ in range(load.rounds):
        for server in servers:
            # The other servers have used the core's caches since the last round.
            await server.clients.call("broadcast", 3, 1)
            server.costs[SINGLE].append(await server.cost(load.single, 1))
            server.costs[BURSTS].append(await server.cost(load.bursts * BURST, BURST))


def _figures(servers: list[RunningPeer], load: _Load) -> list[Figure]:
    ours, *peers = servers
    single, bursts = (f"{kind}, {load.sockets:,} sockets" for kind in (SINGLE, BURSTS))
    figures = [figure(single, server.name, UNIT, server.costs[SINGLE]) for server in servers]
    for peer in peers:
        goal = GOALS[peer.name]
        figures.append(
            figure(
                single,
                f"PicShare : {peer.name}",
                RATIO,
                ratios(ours.costs[SINGLE], peer.costs[SINGLE]),
                at_most=goal,
                limit=f"{goal:g} times the CPU that {peer.name} needs to deliver the same message",
            )
        )
    figures += [figure(bursts, server.name, UNIT, server.costs[BURSTS]) for server in servers]
    limit = f"one write for {BURST} messages instead of one each, which would cost {1 / BURST:g}"
    for server in servers:
        shares = ratios(server.costs[BURSTS], server.costs[SINGLE])
        share = BURST_GOAL if server is ours else None
        name = f"{server.name} : its one at a time"
        figures.append(figure(bursts, name, RATIO, shares, at_most=share, limit=limit if share else None))
    return figures
