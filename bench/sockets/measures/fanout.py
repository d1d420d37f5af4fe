"""A photo from the fan-out worker to its author's followers, each with one connection.

The worker reads the followers from PostgreSQL and inserts into their feeds in Redis; the script publishes the photo to
the live server's process. The yardstick, in the same rounds and on the same sockets, is one message to a topic to which
all of them are subscribed: the difference is the server's lookup of recipients and its bookkeeping of offsets.
"""

from __future__ import annotations

import asyncio

from bench.cores import Cores
from bench.report import RATIO, Figure, figure, ratios
from bench.sockets.client.message import message
from bench.sockets.client.remote import Remote
from bench.sockets.machine.bare_loop import bare_turn
from bench.sockets.machine.usage import cpu_seconds
from bench.sockets.server_process import state
from bench.sockets.service_stack import SETTLED, ServiceStack, service_stack
from workers.jobs.live import publications

GOAL = 2.5
_AT_ONCE = 100


async def measure(cores: Cores, *, quick: bool) -> list[Figure]:
    """Return the cost of both ways, their ratio, and the longest stall."""
    followers, rounds, photos = (1000, 3, 4) if quick else (5000, 7, 12)
    async with service_stack(cores, followers) as service, service.clients(0) as clients:
        topic = publications.user_topic(service.author)
        await clients.call("connect_all", service.tokens(service.followers), _AT_ONCE, topic)
        # For a few seconds after a feed is built, insertions verify the follow again; that is not the normal case.
        await asyncio.sleep(SETTLED)
        spread, single, turns = [], [], []
        for number in range(rounds + 1):
            costs = await _spread(service, clients, photos), await _single(service, clients, photos)
            if number:  # the first round warms up
                spread.append(costs[0])
                single.append(costs[1])
                turns.append(await bare_turn(cores))
        now = await state(service.live.port)
    group = f"photo to {followers:,} followers online"
    return [
        figure(group, "worker → Redis → hub → socket", "µs", spread),
        figure(group, "one message to a topic, same sockets", "µs", single),
        figure(
            group,
            "ratio",
            RATIO,
            ratios(spread, single),
            at_most=GOAL,
            limit="one message to a topic of the same sockets: no lookup of recipients, no offsets",
        ),
        *now.figures("connecting and fanning out", turns),
    ]


async def _spread(service: ServiceStack, clients: Remote, count: int) -> float:
    """Return the live server's CPU for each delivery of some photos, one photo at a time, in microseconds."""
    photos = [await service.new_photo() for _ in range(count)]
    before = cpu_seconds(service.live.pid)
    for photo in photos:
        await clients.call("expect", 1)
        await service.fan_out(photo)
        await clients.call("wait_for_all")
    return (cpu_seconds(service.live.pid) - before) / (count * len(service.followers)) * 1e6


async def _single(service: ServiceStack, clients: Remote, count: int) -> float:
    """Return the same for messages to a topic."""
    topic = publications.user_topic(service.author)
    before = cpu_seconds(service.live.pid)
    for number in range(count):
        await clients.call("expect", 1)
        await service.stores.publisher.to_topic(topic, message(number))
        await clients.call("wait_for_all")
    return (cpu_seconds(service.live.pid) - before) / (count * len(service.followers)) * 1e6
