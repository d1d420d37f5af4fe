"""One client's connection: its user, its streams and subscriptions, and its deadlines."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from channels.connection.stream_state import StreamState
from channels.connection.transport import Transport
from channels.connection.wire_format import SharedMessage, WireFormat
from channels.connection.write_buffer import WriteBuffer, WriteScheduler
from channels.contract.ports import Grant, Identity
from channels.contract.settings import LiveSettings
from channels.protocol import codes
from channels.protocol.core import ProtocolCore
from channels.protocol.messages import Command, Message


@dataclass(slots=True)
class Deadlines:
    """Deadlines of a connection, in seconds of the event loop's clock; infinite for none."""

    connect: float
    pong: float = math.inf
    expiry: float = math.inf

    def next(self) -> float:
        """Return the earliest deadline."""
        return min(self.connect, self.pong, self.expiry)


class Connection(WriteBuffer):
    """A write buffer with the state of its client; no method blocks or awaits.

    `core_type` is the state machine of the protocol that its clients speak.
    """

    core_type: ClassVar[type[ProtocolCore]] = ProtocolCore

    __slots__ = (
        "__weakref__",
        "address",
        "answers_pings",
        "channels",
        "client_id",
        "core",
        "deadlines",
        "identity",
        "inbox",
        "lost",
        "next_check",
        "node",
        "on_close",
        "opened_at",
        "preauthenticated",
        "session",
        "streams",
    )

    def __init__(
        self,
        wire_format: WireFormat,
        transport: Transport,
        core: ProtocolCore,
        scheduler: WriteScheduler,
        settings: LiveSettings,
        *,
        address: str = "",
    ) -> None:
        super().__init__(wire_format, transport, scheduler)
        self.core = core
        self.address = address
        self.client_id = str(uuid.uuid4())
        self.opened_at = asyncio.get_running_loop().time()
        self.identity: Identity | None = None
        self.streams: dict[str, StreamState] = {}
        self.channels: dict[str, Grant] = {}
        # Commands that wait while a request is being handled; None marks the start of a frame.
        self.inbox: deque[Command | None] | None = None
        self.lost = False  # the transport is gone
        # Streaming transports only: the session and the process that the client's commands name, and what to call when
        # the connection has ended.
        self.session = ""
        self.node = ""
        self.on_close: Callable[[], object] | None = None
        # An EventSource cannot answer pings, and its HTTP request was authenticated before the connection began.
        self.answers_pings = True
        self.preauthenticated: Identity | None = None
        self.deadlines = Deadlines(connect=self.opened_at + settings.connect_deadline)
        self.next_check = math.inf

    @property
    def busy(self) -> bool:
        """Return whether a request is being handled, so that further commands wait."""
        return self.inbox is not None

    def send(self, message: Message) -> None:
        """Send a message to this client alone."""
        self.put(self.wire_format.encode(message))

    def send_shared(self, message: SharedMessage) -> None:
        """Send a message that other clients receive too."""
        self.put(message.encoded_for(self.wire_format))

    def accepts(self, stream: str, offset: int, message: SharedMessage) -> bool:
        """Return whether a publication is to be sent now: it is new, and the stream is not held."""
        state = self.streams.get(stream)
        if state is None:
            return False
        if state.offer(offset, message):
            return True
        # More was queued during a hold than the limit allows, so there is a gap that only a reconnect can fill.
        if state.overflowed:
            self.close(codes.INSUFFICIENT_STATE)
        return False
