"""One client's connection: who it is, what it hears, and when it is due for something."""

from __future__ import annotations

import asyncio
import math
import uuid
from dataclasses import dataclass

import structlog

from channels.outbox import FlushQueue, Outbox, Transport
from channels.ports import Grant, Identity
from channels.protocol import codes
from channels.protocol.codec import Codec
from channels.protocol.codes import Disconnect
from channels.protocol.core import ProtocolCore
from channels.protocol.messages import Message
from channels.settings import LiveSettings
from channels.streams import StreamState
from channels.transports.frames import SharedFrame, message_frame

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Deadlines:
    """When something is due, in seconds of the event loop's clock; infinite where nothing is."""

    connect: float
    ping: float = math.inf
    pong: float = math.inf
    expiry: float = math.inf

    def next(self) -> float:
        """Return the earliest."""
        return min(self.connect, self.ping, self.pong, self.expiry)


class Connection:
    """Hold the state of one connection; every method returns at once."""

    __slots__ = (
        "__weakref__",
        "_flushes",
        "_outbox",
        "_settings",
        "busy",
        "channels",
        "client_id",
        "codec",
        "core",
        "deadlines",
        "identity",
        "next_check",
        "revoked",
        "streams",
    )

    def __init__(
        self, codec: Codec, transport: Transport, core: ProtocolCore, flushes: FlushQueue, settings: LiveSettings
    ) -> None:
        self.codec = codec
        self.core = core
        self.client_id = str(uuid.uuid4())
        self.identity: Identity | None = None
        self.streams: dict[str, StreamState] = {}
        self.channels: dict[str, Grant] = {}
        # Owners whose content was taken from this person while an authorization is under way; else None.
        self.revoked: set[int] | None = None
        self.busy = False
        self.deadlines = Deadlines(connect=asyncio.get_running_loop().time() + settings.connect_deadline)
        self.next_check = math.inf
        self._outbox = Outbox(transport)
        self._flushes = flushes
        self._settings = settings

    @property
    def closed_with(self) -> Disconnect | None:
        """Return how this side closed the connection, or None."""
        return self._outbox.closed_with

    @property
    def sent(self) -> int:
        """Return how many messages have left."""
        return self._outbox.taken

    def send(self, message: Message) -> None:
        """Send a message of this connection's own."""
        self.send_frame(message_frame(self.codec, message))

    def send_shared(self, frame: SharedFrame) -> None:
        """Send a message that others get, too."""
        self.send_frame(frame.for_codec(self.codec))

    def send_frame(self, frame: bytes) -> None:
        """Send an encoded frame, together with what else is due in this turn of the event loop."""
        if self._outbox.put(frame):
            self._flushes.add(self)

    def publish(self, stream: str, offset: int, frame: SharedFrame) -> None:
        """Pass on a publication of a stream, unless this client has it already."""
        state = self.streams.get(stream)
        if state is None:
            return
        if state.offer(offset, frame):
            self.send_frame(frame.for_codec(self.codec))
        elif state.overflowed:
            self.close(codes.INSUFFICIENT_STATE)

    def flush(self) -> int:
        """Write what was gathered; close a client that takes too little. Return how many messages these were."""
        before = self._outbox.taken
        waiting = self._outbox.flush()
        if waiting > self._settings.outbox_bytes and self.closed_with is None:
            log.warning(
                "live_client_slow",
                client=self.client_id,
                user_id=self.identity.user_id if self.identity else None,
                waiting_bytes=waiting,
                limit_bytes=self._settings.outbox_bytes,
                messages=self._outbox.taken,
            )
            self.close(codes.SLOW)
        return self._outbox.taken - before

    def close(self, disconnect: Disconnect) -> None:
        """Close with a code; the peer has a few seconds to take it before the transport is aborted."""
        if self.closed_with is None:
            self._outbox.close(disconnect)
            # Never cancelled: a transport that has ended does not mind, one that cannot flush must end.
            asyncio.get_running_loop().call_later(self._settings.close_deadline, self._outbox.abort)
