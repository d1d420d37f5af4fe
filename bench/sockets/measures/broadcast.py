"""One message to all sockets of a server: its CPU for each delivery, PicShare and its peers side by side.

All servers stand at the same time, each with its clients; each round measures one after the other, so that whatever
else the machine does hits all alike. Ratios are those of each round.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.cores import Cores
from bench.report import RATIO, Figure, figure, ratios
from bench.sockets.client.broadcast_clients import Audience
from bench.sockets.client.remote import Remote, remote
from bench.sockets.machine.bare_loop import bare_turn
from bench.sockets.machine.usage import cpu_seconds
from bench.sockets.peers.installed import require_peers
from bench.sockets.peers.nchan import NCHAN
from bench.sockets.peers.peer import Peer, Running
from bench.sockets.peers.picshare import PICSHARE
from bench.sockets.peers.programs import SEND_LOOP, SOCKET_IO, WS
from bench.sockets.server_process import state

PEERS = (PICSHARE, NCHAN, WS, SOCKET_IO, SEND_LOOP)
GOALS = {NCHAN.name: 0.9, WS.name: 0.75, SOCKET_IO.name: 0.6, SEND_LOOP.name: 1.5}
BURST = 10
BURST_GOAL = 0.35
UNIT = "µs"
WARM_UP = 100_000  # deliveries, of each kind: a compiler at run time needs as many

SINGLE, BURSTS = "one message at a time", f"{BURST} messages together"


@dataclass(frozen=True, kw_only=True)
class _Load:
    """How much one turn of one server is: messages one at a time, and in bursts."""

    sockets: int
    rounds: int
    single: int
    bursts: int


@dataclass(kw_only=True)
class _Stand:
    """One server with its clients, and what was measured: µs for each delivery, by kind of publishing."""

    name: str
    running: Running
    clients: Remote
    costs: dict[str, list[float]] = field(default_factory=dict)

    async def cost(self, load: _Load, messages: int, together: int) -> float:
        """Publish, and return the server's CPU for each delivery, in microseconds."""
        before = cpu_seconds(self.running.pid)
        await self.clients.call("broadcast", messages, together)
        return (cpu_seconds(self.running.pid) - before) / (messages * load.sockets) * 1e6


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
        stands = [
            await stack.enter_async_context(_stand(peer, number, folder, cores)) for number, peer in enumerate(PEERS)
        ]
        turns = [await bare_turn(cores)]
        for load in loads:
            await _run(stands, load)
            figures += _figures(stands, load)
            turns.append(await bare_turn(cores))
        ours = await state(stands[0].running.port)
    return [*figures, *ours.figures("connecting and broadcasting", turns)]


@asynccontextmanager
async def _stand(peer: Peer, number: int, folder: Path, cores: Cores) -> AsyncIterator[_Stand]:
    home = folder / str(number)
    home.mkdir()
    async with peer.run(home, cores) as running:
        make = partial(
            Audience,
            dialect=running.dialect,
            port=running.port,
            publish_port=running.publish_port,
            source=f"127.0.0.{10 + number}",
        )
        async with remote(make) as clients:
            yield _Stand(name=peer.name, running=running, clients=clients)


async def _run(stands: list[_Stand], load: _Load) -> None:
    for stand in stands:
        stand.costs = {SINGLE: [], BURSTS: []}
        await stand.clients.call("connect", load.sockets)
        await stand.clients.call("broadcast", WARM_UP // load.sockets, 1)
        await stand.clients.call("broadcast", WARM_UP // load.sockets // BURST * BURST, BURST)
    for _ in range(load.rounds):
        for stand in stands:
            # The others had the core's caches meanwhile.
            await stand.clients.call("broadcast", 3, 1)
            stand.costs[SINGLE].append(await stand.cost(load, load.single, 1))
            stand.costs[BURSTS].append(await stand.cost(load, load.bursts * BURST, BURST))


def _figures(stands: list[_Stand], load: _Load) -> list[Figure]:
    ours, *peers = stands
    single, bursts = (f"{kind}, {load.sockets:,} sockets" for kind in (SINGLE, BURSTS))
    figures = [figure(single, stand.name, UNIT, stand.costs[SINGLE]) for stand in stands]
    for peer in peers:
        goal = GOALS[peer.name]
        figures.append(
            figure(
                single,
                f"PicShare : {peer.name}",
                RATIO,
                ratios(ours.costs[SINGLE], peer.costs[SINGLE]),
                at_most=goal,
                limit=f"{goal:g} of the CPU that {peer.name} needs to deliver the same message",
            )
        )
    figures += [figure(bursts, stand.name, UNIT, stand.costs[BURSTS]) for stand in stands]
    limit = f"one write for {BURST} messages instead of one each, which would cost {1 / BURST:g}"
    for stand in stands:
        shares = ratios(stand.costs[BURSTS], stand.costs[SINGLE])
        share = BURST_GOAL if stand is ours else None
        name = f"{stand.name} : its one at a time"
        figures.append(figure(bursts, name, RATIO, shares, at_most=share, limit=limit if share else None))
    return figures
