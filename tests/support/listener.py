"""Receive the messages that are published to a live process, and parse them."""

from __future__ import annotations

import asyncio
import struct
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from channels.bus.addressing import EVERY_PROCESS, STAR_CHANNELS, process_channels
from channels.bus.pubsub import PubSub
from channels.bus.redis_client import publish
from storage.ids import slot_group
from tests.support.driver_commands import commands
from tests.support.eventually import eventually

_HEAD = struct.Struct(">BQI")


@dataclass(frozen=True, kw_only=True)
class ReceivedMessage:
    """One message to a process."""

    offset: int
    user_ids: list[int]
    body: bytes


class Listener:
    """A live process as Redis sees it: subscribes to its channels and registers connected users.

    With `stars`, it receives the announcements of stars, too; only one listener at a time can.
    """

    def __init__(self, redis: Any, process: bytes, *, stars: bool = False) -> None:
        self._redis = redis
        self._process = process
        # Without the channels that processes share: two listeners would receive each other's markers.
        shared = {EVERY_PROCESS} if stars else {EVERY_PROCESS, *STAR_CHANNELS}
        self._channels = [channel for channel in process_channels(process) if channel not in shared]
        self._pubsub = PubSub(redis, self._channels, self, has_subscribers=lambda _: False, deadline=5)
        self._work: asyncio.Task[None] | None = None
        self._messages: list[bytes] = []

    async def listen(self, *user_ids: int) -> None:
        """Subscribe, and register these users as connected to this process."""
        if self._work is None:
            self._work = asyncio.create_task(self._pubsub.run())
            await eventually(lambda: self._pubsub.connected)
        for user_id in user_ids:
            key, field = b"online:{%d}" % slot_group(user_id), struct.pack(">Q", user_id)
            before = await commands(self._redis).hget(key, field) or b""
            await commands(self._redis).hset(key, field, before + self._process)

    async def received(self) -> list[ReceivedMessage]:
        """Return every message since the last call; those published before this call have arrived."""
        # A markerer message on each channel follows everything that was published there before it.
        marker = uuid.uuid4().bytes
        await asyncio.gather(*(publish(self._redis, channel, marker) for channel in self._channels))
        await eventually(lambda: self._messages.count(marker) == len(self._channels))
        messages, self._messages = self._messages, []
        return [_read(message) for message in messages if message != marker]

    async def close(self) -> None:
        """Stop listening without removing the registrations, as after a crash."""
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work

    def message(self, channel: bytes, data: bytes, *, more: bool = False) -> None:
        """Keep a message."""
        self._messages.append(data)

    def lost(self) -> None:
        """Fail the test: the connection must not be lost."""
        assert self._work is not None
        assert self._work.cancelling()

    def restored(self) -> None:
        """Do nothing."""


def _read(data: bytes) -> ReceivedMessage:
    version, offset, count = _HEAD.unpack_from(data)
    assert version == 1
    end = _HEAD.size + 8 * count
    return ReceivedMessage(
        offset=offset, user_ids=list(struct.unpack(f">{count}Q", data[_HEAD.size : end])), body=data[end:]
    )
