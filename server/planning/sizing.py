"""Cores, processes and machines of each role and engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.planning.demand import Work
from server.planning.footprint import Footprint
from server.planning.load import Load
from server.planning.unit_costs import UnitCosts

# Fewest processes or servers that survive the loss of one; a quorum of RabbitMQ needs three.
_LEAST: Mapping[str, int] = {"rabbitmq": 3}
_USUAL_LEAST = 2
_SOCKETS_A_PROCESS = 50_000
# Roles and engines of which a process or server uses one core. PostgreSQL, nginx and RabbitMQ use all of a machine.
_SEVERAL_CORES = frozenset({"postgres", "nginx", "rabbitmq"})
_GB = 1e9


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one role or engine needs: `busy` cores at the peak, and what to buy for them.

    `processes` are servers for engines that use several cores. `less` is the use of its cores with one machine less.
    """

    component: str
    busy: float
    storm: float
    cores: int
    processes: int
    gigabytes: float
    machines: int
    use: float
    less: float
    limit: str

    @property
    def verdict(self) -> str:
        """Return what the loss of one machine at the peak does."""
        if self.machines == 1:
            return "stops"
        return "bears it" if self.less <= 1 else f"overloaded: {self.less:.0%}"


def sizes_of(load: Load, costs: UnitCosts, works: Sequence[Work], footprint: Footprint) -> list[Size]:
    """Return the sizes of all roles and engines, the one with the most cores first."""
    busy: dict[str, float] = {}
    for work in works:
        for component, cores in work.cores.items():
            busy[component] = busy.get(component, 0.0) + cores
    storm = load.sockets * load.storm_share / load.storm_seconds
    storms = {name: storm * cost / 1e6 for name, cost in costs.of("connect").items()}
    sizes = [
        _size(load, name, cores, storms.get(name, 0.0), footprint.memory.get(name, 0.0)) for name, cores in busy.items()
    ]
    return sorted(sizes, key=lambda size: -size.cores)


def _size(load: Load, name: str, busy: float, storm: float, gigabytes: float) -> Size:
    # A storm comes on top of everything else, and may use all cores; the rest of the time they have headroom.
    wanted = max(busy / load.target_use, busy + storm) * _spare(load)
    least = _LEAST.get(name, _USUAL_LEAST)
    if name in _SEVERAL_CORES:
        by_cores = wanted / load.machine_cores
    else:
        wanted = max(wanted, load.sockets / _SOCKETS_A_PROCESS * _spare(load) if name == "live" else 0.0)
        by_cores = math.ceil(wanted) / load.machine_cores
    by_memory = gigabytes * _spare(load) / load.machine_gigabytes
    machines = max(math.ceil(by_cores), math.ceil(by_memory), least)
    cores = max(math.ceil(wanted), least)
    processes = machines if name in _SEVERAL_CORES else cores
    available = machines * load.machine_cores
    return Size(
        component=name,
        busy=busy,
        storm=storm,
        cores=cores,
        processes=processes,
        gigabytes=gigabytes * _spare(load),
        machines=machines,
        use=busy / available,
        less=busy / (available - load.machine_cores) if machines > 1 else math.inf,
        limit="redundancy" if machines == least else "memory" if by_memory > by_cores else "cores",
    )


def _spare(load: Load) -> float:
    """Return the multiple that lets all regions but one carry the whole load."""
    return load.regions / (load.regions - 1) if load.regions > 1 else 1.0
