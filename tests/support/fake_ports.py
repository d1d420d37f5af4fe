"""The live layer's ports in memory: tokens, streams and grants that a test sets."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Callable, Collection, Sequence

import orjson

from channels.bus.addressing import GROUPS, presence_topic
from channels.bus.presence_store import PresenceStore
from channels.contract.errors import (
    LiveUnavailableError,
    NotOfferedError,
    OperationError,
    PermissionDeniedError,
    TokenExpiredError,
    TokenInvalidError,
    UnknownChannelError,
    UnknownOperationError,
)
from channels.contract.ports import Grant, Identity, Member, Position, Presence, Publication, Recovery


class FakeAuthenticator:
    """Accepts tokens of the form "<user id>" and "<user id>:<session>", except those marked otherwise."""

    def __init__(self) -> None:
        self.lifetime = 3600.0
        self.expired: set[str] = set()
        self.revoked: set[str] = set()
        self.revoked_on_confirm: set[str] = set()
        self.asked = 0
        self.gate: asyncio.Event | None = None

    async def authenticate(self, token: str) -> Identity:
        """Return the identity that the token names."""
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if token in self.expired:
            raise TokenExpiredError(token)
        user, _, session = token.partition(":")
        if not user.isdigit() or session in self.revoked:
            raise TokenInvalidError(token)
        return Identity(user_id=int(user), session=session or f"s{user}", expires_at=time.time() + self.lifetime)

    async def authenticate_stream(self, ticket: str, key: str | None) -> tuple[Identity, str]:
        """Accept a ticket as often as it is sent, and keep the key."""
        return await self.authenticate(ticket), key or "0" * 32

    async def confirm(self, identity: Identity) -> None:
        """Reject sessions that were revoked meanwhile."""
        if identity.session in self.revoked_on_confirm:
            raise TokenInvalidError(identity.session)


class MemoryStreams:
    """Streams as lists; one counter assigns the offsets, as Redis' clock does."""

    def __init__(self) -> None:
        self._offsets = itertools.count(1001)
        self._last: dict[tuple[int, str], int] = {}
        self.epoch = "e1"
        self.logs: dict[tuple[int, str], list[Publication]] = {}
        self.floor = 0
        self.broken = False
        self.reads = 0
        self.gate: asyncio.Event | None = None
        self.followed: dict[int, list[int]] = {}  # user → stars
        self.star_reads = 0
        self.after_star_read: Callable[[], None] | None = None  # called once, before the stars that were read return

    def append(self, user_id: int, stream: str, data: bytes) -> Publication:
        """Append a publication and return it with its offset."""
        item = Publication(data=data, offset=next(self._offsets))
        self.logs.setdefault((user_id, stream), []).append(item)
        return item

    async def position(self, user_id: int, stream: str) -> Position:
        """Return the last offset."""
        await self._pause()
        return self._end(user_id, stream)

    async def recover(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return the newer publications, if the epoch is the same and none was dropped since."""
        await self._pause()
        position = self._end(user_id, stream)
        if since.epoch != self.epoch or since.offset < self.floor:
            return Recovery(recovered=False, publications=(), position=position)
        log = self.logs.get((user_id, stream), [])
        newer = [item for item in log if item.offset > since.offset]
        return Recovery(recovered=True, publications=newer, position=position)

    async def stars(self, user_id: int) -> Collection[int]:
        """Return the stars that a user follows."""
        found = list(self.followed.get(user_id, ()))
        self.star_reads += 1
        happens, self.after_star_read = self.after_star_read, None
        if happens is not None:
            happens()
        return found

    async def history(self, user_id: int, stream: str, limit: int, *, newest: bool) -> Recovery:
        """Return the newest or the oldest publications of the log."""
        await self._pause()
        log = self.logs.get((user_id, stream), [])
        items = log[max(0, len(log) - limit) :] if newest else log[:limit]
        return Recovery(recovered=True, publications=items, position=self._end(user_id, stream))

    def _end(self, user_id: int, stream: str) -> Position:
        log = self.logs.get((user_id, stream), [])
        return Position(epoch=self.epoch, offset=log[-1].offset if log else 1000)

    async def _pause(self) -> None:
        self.reads += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise LiveUnavailableError("broken by the test")


class FakePresences:
    """Members of "presence:<n>" are n and n + 1; other channels have none."""

    async def members(self, identity: Identity, channel: str) -> Sequence[Member]:
        """Return the members."""
        kind, _, number = channel.partition(":")
        if kind != "presence":
            raise NotOfferedError(channel)
        return [Member(user=str(int(number) + more)) for more in range(2)]

    def encode_change(self, user_id: int, presence: Presence) -> bytes:
        """Return the change as JSON."""
        return orjson.dumps({"user": user_id, "online": presence.online, "last_seen": presence.last_seen})


class FakeOperations:
    """The operations "echo", which returns its argument, and "refuse"."""

    async def call(self, identity: Identity, method: str, data: object) -> bytes:
        """Execute the operation."""
        if method == "echo":
            return orjson.dumps({"user": identity.user_id, "data": data})
        if method == "refuse":
            raise OperationError(429, "come back later", temporary=True)
        raise UnknownOperationError(method)


class FakeAuthorizer:
    """Grants "photo:<n>" and "presence:<n>" to every user who is not blocked; the owner of photo n is user n.

    The initial data of a presence channel are read from `store`; groups are those of `tests.support.live.group_of`.
    """

    def __init__(self, store: PresenceStore | None = None) -> None:
        self._store = store
        self.blocked: set[tuple[int, int]] = set()
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.blocks_gate: asyncio.Event | None = None

    async def blocks(self, identity: Identity) -> Collection[int]:
        """Return the users on the other side of a block."""
        user_id = identity.user_id
        separated = [other for pair in self.blocked if user_id in pair for other in pair if other != user_id]
        if self.blocks_gate is not None:
            await self.blocks_gate.wait()
        return separated

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant of a channel by the state before the gate opens."""
        self.asked += 1
        kind, _, number = channel.partition(":")
        if kind not in {"photo", "presence"} or not number.isdigit():
            raise UnknownChannelError(channel)
        owner_id, topic, data = int(number), channel, None
        refused = (owner_id, identity.user_id) in self.blocked
        if kind == "presence":
            assert self._store is not None
            topic = presence_topic(owner_id % GROUPS, owner_id)
            data = orjson.dumps(dataclasses.asdict(await self._store.read(owner_id)))
        if self.gate is not None:
            await self.gate.wait()
        if refused:
            raise PermissionDeniedError(channel)
        return Grant(topic=topic, owner_id=owner_id, data=data)
