"""The doctor's check of the broker: whether every queue exists and is consumed, and whether there are dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from server.administration.findings import Finding
from server.composition.backends import describe_broker, open_broker
from server.config.settings import Settings
from workers.broker.routing import QUEUES, ROLES


async def inspect_broker(settings: Settings) -> Finding:
    """Check the queues of the broker; raise `BrokerError` if it is not reachable."""
    async with open_broker(settings) as broker:
        depths = await broker.depths()
        idle = await broker.queues_without_consumers()
    return judge_broker(describe_broker(settings).name, depths, idle)


def judge_broker(name: str, depths: Mapping[str, int], idle: Sequence[str]) -> Finding:
    """Return the finding about a broker with these depths, of whose queues those in `idle` have no consumer."""
    missing = [queue for queue in QUEUES if queue not in depths]
    if missing:
        return Finding(
            name="broker",
            detail=f"{name} without the queues {', '.join(missing)}",
            remedy="Start one worker of each role: it declares its queue.",
        )
    dead = sum(depth for queue, depth in depths.items() if queue.endswith(".dead"))
    waiting = sum(depths.values()) - dead
    return Finding(
        name="broker",
        detail=f"{name}, {waiting} messages waiting, {dead or 'no'} dead letters",
        remedy="List them with `picshare deadletters list`, then replay or delete them." if dead else "",
        warning=_warning(depths, idle),
    )


def _warning(depths: Mapping[str, int], idle: Sequence[str]) -> str:
    if not idle:
        return ""
    queues = ", ".join(f"{queue} ({depths[queue]} waiting)" for queue in idle)
    # A worker can consume two queues, and is named once.
    commands = ", ".join(f"`picshare worker {role}`" for role in dict.fromkeys(ROLES[queue] for queue in idle))
    return f"Nothing consumes {queues}: start {commands}."
