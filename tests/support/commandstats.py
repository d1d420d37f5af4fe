"""The number of times that an engine has run a command, by its own statistics."""

from __future__ import annotations

from storage.redis.client import Redis


async def calls(redis: Redis, command: str) -> int:
    """Return how often the servers ran a command ("ping", "cluster|slots"), in scripts or directly."""
    replies = (await redis.execute_everywhere("INFO", "commandstats")).values()
    lines = [line for reply in replies if isinstance(reply, bytes) for line in reply.splitlines()]
    found = [line for line in lines if line.startswith(b"cmdstat_%b:" % command.encode())]
    return sum(int(line.partition(b"calls=")[2].partition(b",")[0]) for line in found)
