"""How often an engine was given a command, by its own count."""

from __future__ import annotations

from storage.redis.client import Redis


async def calls(redis: Redis, command: str) -> int:
    """Return how often the servers that answer ran a command ("ping", "cluster|slots"), within scripts or not."""
    answers = (await redis.link.each("INFO", "commandstats")).values()
    lines = [line for answer in answers if isinstance(answer, bytes) for line in answer.splitlines()]
    found = [line for line in lines if line.startswith(b"cmdstat_%b:" % command.encode())]
    return sum(int(line.partition(b"calls=")[2].partition(b",")[0]) for line in found)
