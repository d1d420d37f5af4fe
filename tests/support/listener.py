"""Listen where live processes listen, and read what arrives there byte for byte."""

from __future__ import annotations

import asyncio
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.ids import slot_group
from storage.window_log import Announcement

_HEAD = struct.Struct(">BQI")


def announcement(body: bytes = b"body") -> Announcement:
    """Return an announcement with the keys that live processes use."""
    return Announcement(
        registry_key=lambda group: b"online:{%d}" % group,
        channel_prefix=lambda group: b"live:{%d}:" % group,
        body=body,
    )


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
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)
        self._process = process

    async def listen(self, *people: int) -> None:
        """Subscribe, and say that people are connected here too."""
        await self._pubsub.psubscribe(b"live:{*}:" + self._process)
        await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
        for person in people:
            key, field = b"online:{%d}" % slot_group(person), struct.pack(">Q", person)
            before = await self._redis.hget(key, field) or b""
            await self._redis.hset(key, field, before + self._process)

    async def heard(self) -> list[Heard]:
        """Return every message so far: those published before this call have all arrived."""
        # A message of our own marks the end of what was published before it.
        mark = uuid.uuid4().bytes
        await self._redis.publish(b"live:{0}:" + self._process, mark)
        messages: list[Heard] = []
        async with asyncio.timeout(5):
            while True:
                message: Mapping[str, Any] | None = await self._pubsub.get_message(timeout=1)
                if message is not None and message["data"] == mark:
                    return messages
                if message is not None:
                    messages.append(_read(message["data"]))

    async def close(self) -> None:
        """Stop listening; what the registry says stays, as after a crash."""
        await self._pubsub.aclose()


def _read(data: bytes) -> Heard:
    version, offset, count = _HEAD.unpack_from(data)
    assert version == 1
    end = _HEAD.size + 8 * count
    return Heard(offset=offset, people=list(struct.unpack(f">{count}Q", data[_HEAD.size : end])), body=data[end:])
