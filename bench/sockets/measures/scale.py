"""One message to 1,000 sockets and to as many as a process may have: CPU time for each delivery.

The yardstick, in the same rounds, is the loop of send(2) in C. With more sockets both pay for memory that is not in the
processor's cache any more; what PicShare adds to that must not depend on their number.
"""

from __future__ import annotations

import resource
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.cores import Cores
from bench.report import RATIO, Figure, figure, ratios
from bench.sockets.measures.running_peer import RunningPeer, run_peer
from bench.sockets.peers.picshare import PICSHARE
from bench.sockets.peers.programs import SEND_LOOP

FEW, MANY = 1_000, 20_000
SPARE_FILES = 1_000  # of a process: engines, logs, listening sockets
GOAL = 1.15
DELIVERIES = 100_000  # of a round, and before the first one


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return the cost of both servers with few and with many sockets, and how it grows."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = min(3_000 if quick else MANY, limit - SPARE_FILES)
    rounds = 3 if quick else 15
    costs: dict[int, tuple[list[float], list[float]]] = {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        servers = [
            await stack.enter_async_context(run_peer(peer, number, folder, cores))
            for number, peer in enumerate((PICSHARE, SEND_LOOP))
        ]
        for sockets in (FEW, many):
            ours, loop = [await _costs_of(server, sockets) for server in servers]
            for _ in range(rounds):
                for server, found in zip(servers, (ours, loop), strict=True):
                    found.append(await server.cost(DELIVERIES // sockets, 1))
            costs[sockets] = ours, loop
    return _figures(costs)


def _figures(costs: dict[int, tuple[list[float], list[float]]]) -> list[Figure]:
    figures, group = list[Figure](), "one message at a time, for each delivery"
    for sockets, (ours, loop) in costs.items():
        figures += [
            figure(group, f"PicShare, {sockets:,} sockets", "µs", ours),
            figure(group, f"a loop of send(2) in C, {sockets:,} sockets", "µs", loop),
        ]
    (few, (ours_few, loop_few)), (many, (ours_many, loop_many)) = costs.items()
    name = f"{many:,} : {few:,} sockets"
    growth = ratios(ratios(ours_many, loop_many), ratios(ours_few, loop_few))
    return [
        *figures,
        figure(group, f"PicShare, {name}", RATIO, ratios(ours_many, ours_few)),
        figure(group, f"the loop in C, {name}", RATIO, ratios(loop_many, loop_few)),
        figure(
            group,
            f"PicShare as a multiple of the loop, {name}",
            RATIO,
            growth,
            at_most=GOAL,
            limit="a share of the kernel's own cost that does not grow with the number of sockets",
        ),
    ]


async def _costs_of(server: RunningPeer, sockets: int) -> list[float]:
    """Connect, send what a just-in-time compiler or a cache needs, and return an empty list for the costs."""
    await server.connect(sockets)
    await server.clients.call("broadcast", DELIVERIES // sockets, 1)
    return []
