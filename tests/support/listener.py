"""Listen where live processes listen, and read what arrives there byte for byte."""

from __future__ import annotations

import asyncio
import struct
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from channels.bus.addressing import process_channels
from channels.bus.pubsub import PubSub
from channels.bus.redis_client import publish
from storage.ids import slot_group
from tests.support.eventually import eventually

_HEAD = struct.Struct(">BQI")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One message to a process."""

    offset: int
    people: list[int]
    body: bytes


class Listener:
    """A live process as Redis sees it: it says who is connected to it, and hears its channels."""

    def __init__(self, redis: Any, process: bytes) -> None:
        self._redis = redis
        self._process = process
        self._channels = process_channels(process)
        self._pubsub = PubSub(redis, self._channels, self, has_subscribers=lambda _: False, deadline=5)
        self._work: asyncio.Task[None] | None = None
        self._messages: list[bytes] = []

    async def listen(self, *people: int) -> None:
        """Subscribe, and say that people are connected here too."""
        if self._work is None:
            self._work = asyncio.create_task(self._pubsub.run())
            await eventually(lambda: self._pubsub.connected)
        for person in people:
            key, field = b"online:{%d}" % slot_group(person), struct.pack(">Q", person)
            before = await self._redis.hget(key, field) or b""
            await self._redis.hset(key, field, before + self._process)

    async def heard(self) -> list[Heard]:
        """Return every message so far: those published before this call have all arrived."""
        # A message of our own on each channel marks the end of what was published there before it.
        mark = uuid.uuid4().bytes
        await asyncio.gather(*(publish(self._redis, channel, mark) for channel in self._channels))
        await eventually(lambda: self._messages.count(mark) == len(self._channels))
        messages, self._messages = self._messages, []
        return [_read(message) for message in messages if message != mark]

    async def close(self) -> None:
        """Stop listening; what the registry says stays, as after a crash."""
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work

    def message(self, channel: bytes, data: bytes, *, more: bool = False) -> None:
        """Keep a message."""
        self._messages.append(data)

    def lost(self) -> None:
        """Fail: these tests lose no connection."""
        assert self._work is not None
        assert self._work.cancelling()

    def restored(self) -> None:
        """Do nothing."""


def _read(data: bytes) -> Heard:
    version, offset, count = _HEAD.unpack_from(data)
    assert version == 1
    end = _HEAD.size + 8 * count
    return Heard(offset=offset, people=list(struct.unpack(f">{count}Q", data[_HEAD.size : end])), body=data[end:])
