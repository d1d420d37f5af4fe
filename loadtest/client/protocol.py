"""The client side of the live protocol for one socket: no await, no clock, no I/O.

A core outlives its connections: it keeps the epoch and the offset of each stream, sends them with the next connect,
and checks the order of received publications. `docs/live.md` has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from loadtest.client.frames import CommandReply, ReceivedPublication, publication_of

PONG = b"{}"
RECONNECTS = (*range(3000, 3500), *range(4000, 4500))  # close codes after which a client comes back by itself


class Order(Enum):
    """The position of a publication relative to the previous one of its stream."""

    NEXT = auto()
    REPEATED = auto()  # the offset of the one before
    BACKWARDS = auto()  # an offset below the one before


@dataclass(slots=True)
class StreamPosition:
    """The epoch of a stream and the offset of its newest publication."""

    epoch: str
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Connected:
    """The connect was accepted.

    `ping` is the ping interval in seconds, and `ttl` for how many seconds the token is valid (0: without limit).
    `recovered` maps each stream whose recovery was requested to whether it succeeded; `missed` holds the recovered
    publications in their order.
    """

    ping: float
    ttl: float
    recovered: dict[str, bool]
    missed: tuple[tuple[ReceivedPublication, Order], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A command failed; `connect` is true for the connect command."""

    code: int
    message: str
    connect: bool


class ClientCore:
    """Builds the commands of one client, and checks what it receives."""

    __slots__ = ("_connect_id", "_id", "_positions", "_wants_pong")

    def __init__(self) -> None:
        self._id = 0
        self._connect_id = 0
        self._positions: dict[str, StreamPosition] = {}
        self._wants_pong = False

    def connect(self, token: str) -> bytes:
        """Return the first command of a connection; from the second connection on it requests recovery."""
        self._id += 1
        self._connect_id = self._id
        subs = {
            channel: {"recover": True, "epoch": position.epoch, "offset": position.offset}
            for channel, position in self._positions.items()
        }
        return orjson.dumps({"id": self._id, "connect": {"token": token, **({"subs": subs} if subs else {})}})

    def refresh(self, token: str) -> bytes:
        """Return the command that extends the connection's validity to that of a newer token."""
        self._id += 1
        return orjson.dumps({"id": self._id, "refresh": {"token": token}})

    def ping(self) -> bytes | None:
        """Return the reply to a ping, if the server expects one."""
        return PONG if self._wants_pong else None

    def reply(self, reply: CommandReply) -> Connected | Refused | None:
        """Return the event of a reply; None for a successful command other than connect."""
        is_connect = reply.id == self._connect_id
        if reply.error is not None:
            return Refused(code=reply.error[0], message=reply.error[1], connect=is_connect)
        return self._connected(reply.result) if is_connect else None

    def take(self, publication: ReceivedPublication) -> Order:
        """Return a publication's order by its offset, and advance the stream's position unless it goes back."""
        position = self._positions.get(publication.channel)
        offset = publication.offset
        if position is None or not offset:
            return Order.NEXT
        if offset > position.offset:
            position.offset = offset
            return Order.NEXT
        return Order.REPEATED if offset == position.offset else Order.BACKWARDS

    def _connected(self, result: Any) -> Connected:
        self._wants_pong = bool(result.get("pong"))
        subs = result.get("subs") or {}
        # A stream that the result does not name is not received any more.
        recovered = {channel: bool(subs.get(channel, {}).get("recovered")) for channel in self._positions}
        missed: list[tuple[ReceivedPublication, Order]] = []
        for channel, sub in subs.items():
            now = StreamPosition(str(sub.get("epoch", "")), int(sub.get("offset", 0)))
            if recovered.get(channel):
                for pub in sub.get("publications") or ():
                    publication = publication_of(channel, pub)
                    missed.append((publication, self.take(publication)))
                now.offset = max(now.offset, self._positions[channel].offset)
            self._positions[channel] = now
        return Connected(
            ping=float(result.get("ping", 0)),
            ttl=float(result.get("ttl", 0)) if result.get("expires") else 0.0,
            recovered=recovered,
            missed=tuple(missed),
        )
