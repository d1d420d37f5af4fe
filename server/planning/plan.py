"""The plan of a load: work, sizes, footprint, the first bottleneck, and the configuration that it implies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from server.planning.demand import Work, work_of
from server.planning.footprint import Footprint, footprint_of, monthly_price
from server.planning.load import Load
from server.planning.sizing import Size, sizes_of
from server.planning.unit_costs import UnitCosts

# Connections of one PostgreSQL beyond which a pooler is better (docs/engines.md, "With a pooler").
_POOLER_FROM = 500
_POOL = 10  # `database.pool_max` of a process
_ONLINE = frozenset({"ping", "connect", "refresh", "handshake", "delivery"})  # the work of sessions and connections
_POOLED = frozenset({"api", "live", "media", "fanout", "notify", "relay", "bulk", "webhooks"})
_REDIS_FILL, _REDIS_BUSY = 0.8, 0.5  # share of the memory of a machine, and cores, that one server may use
_REDIS_SHARE = 16  # slot groups, over which the keys of users are spread


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a load needs."""

    load: Load
    costs: UnitCosts
    works: Sequence[Work]
    sizes: Sequence[Size]
    footprint: Footprint

    @property
    def milliseconds(self) -> float:
        """Return the core-milliseconds for each daily user and day."""
        return sum(work.milliseconds for work in self.works)

    @property
    def photos_milliseconds(self) -> float:
        """Return the part of it that is for posting and viewing photos, likes, comments and follows."""
        return sum(work.milliseconds for work in self.works if work.unit not in _ONLINE)

    @property
    def busy(self) -> float:
        """Return the cores that are busy at the peak."""
        return sum(size.busy for size in self.sizes)

    @property
    def cores(self) -> int:
        """Return the cores to buy."""
        return sum(size.cores for size in self.sizes)

    @property
    def greatest(self) -> Work:
        """Return the work that takes most of the processor time."""
        return max(self.works, key=lambda work: work.milliseconds)

    @property
    def bottleneck(self) -> Size:
        """Return the role or engine whose machines are used most, so that it is the first to be full."""
        return max(self.sizes, key=lambda size: size.use)

    @property
    def greatest_fanout(self) -> float:
        """Return the seconds of work until a photo of the account at the 99th percentile is in all feeds."""
        return self.load.followers_p99 * sum(self.costs.of("insertion").values()) / 1e6

    @property
    def price(self) -> float:
        """Return the price of a month; 0 without a price list."""
        return monthly_price(self.load, self.cores)

    @property
    def configuration(self) -> dict[str, str]:
        """Return the settings and topology that the plan implies."""
        sizes = {size.component: size for size in self.sizes}
        connections = sum(size.processes for size in self.sizes if size.component in _POOLED) * _POOL
        redis, postgres, media = sizes.get("redis"), sizes.get("postgres"), sizes.get("media")
        result = {"database.pool_max": f"{_POOL} in each process"}
        if connections > _POOLER_FROM:
            result["PostgreSQL"] = (
                f"a pooler (database.pooler = transaction): the processes have {connections:,} connections together"
            )
        else:
            result["PostgreSQL"] = f"max_connections at least {connections + 20:,}"
        if postgres and postgres.limit != "redundancy":
            result["shards of PostgreSQL"] = (
                f"Citus on {postgres.machines} servers, each with a standby: one has too little {_noun(postgres)}"
            )
        if redis:
            by_memory = math.ceil(redis.gigabytes / 2 / (self.load.machine_gigabytes * _REDIS_FILL))
            masters = max(by_memory, redis.cores if redis.busy > _REDIS_BUSY else 1)
            result["Redis"] = f"a cluster of {masters} with a replica of each" if masters > 1 else "one with a replica"
            if masters > _REDIS_SHARE:
                result["Redis"] += (
                    f", but the keys of users are in {_REDIS_SHARE} slot groups, so no more than {_REDIS_SHARE} have a "
                    "share: choose machines with more memory, or shorter feeds"
                )
        if media:
            each = min(int(self.load.machine_cores), media.cores)
            result["worker.media_concurrency"] = f"{each} for each machine, which is also the prefetch of its queue"
        if live := sizes.get("live"):
            each = round(self.load.sockets / live.processes)
            result["LimitNOFILE of live"] = f"at least {each + 1000:,}: {each:,} connections in each process"
        return result

    def document(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return {
            "load": asdict(self.load),
            "units": {"measured_at": self.costs.measured_at, "machine": self.costs.machine},
            "core_milliseconds": self.milliseconds,
            "busy_cores": self.busy,
            "cores": self.cores,
            "work": [
                {**asdict(work), "milliseconds": work.milliseconds, "cores": sum(work.cores.values())}
                for work in self.works
            ],
            "sizes": [asdict(size) for size in self.sizes],
            "amounts": [asdict(amount) for amount in self.footprint.amounts],
            "bottleneck": self.bottleneck.component,
            "configuration": self.configuration,
            "price": self.price,
        }


def _noun(size: Size) -> str:
    return "memory" if size.limit == "memory" else "cores"


def make_plan(load: Load, costs: UnitCosts) -> Plan:
    """Return the plan of a load."""
    works, footprint = work_of(load, costs), footprint_of(load)
    return Plan(load=load, costs=costs, works=works, sizes=sizes_of(load, costs, works, footprint), footprint=footprint)


def differences(plan: Plan, other: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return the busy cores of each component in another plan's document and in this one, and their sums."""
    before = {size["component"]: float(size["busy"]) for size in other["sizes"]}
    now = {size.component: size.busy for size in plan.sizes}
    rows = [(name, before.get(name, 0.0), now.get(name, 0.0)) for name in sorted({*before, *now})]
    return [*rows, ("all", sum(before.values()), sum(now.values()))]
