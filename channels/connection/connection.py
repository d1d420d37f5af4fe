"""One client's connection: who it is, what it hears, and when it is due for something."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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
    """When something is due, in seconds of the event loop's clock; infinite where nothing is."""

    connect: float
    ping: float = math.inf
    pong: float = math.inf
    expiry: float = math.inf

    def next(self) -> float:
        """Return the earliest."""
        return min(self.connect, self.ping, self.pong, self.expiry)


class Connection(WriteBuffer):
    """An outbox that knows whose it is; every method returns at once."""

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
        "revoked",
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
        # Owners whose content was taken from this person while an authorization is under way; else None.
        self.revoked: set[int] | None = None
        # Commands that wait while one of them is being answered, None standing for the begin of a frame.
        self.inbox: deque[Command | None] | None = None
        self.lost = False
        # Of a streaming answer: by what name, and at which process, its client speaks; and what its end undoes.
        self.session = ""
        self.node = ""
        self.on_close: Callable[[], object] | None = None
        # Whether the client can answer pings; and who it is, where its request told already.
        self.answers_pings = True
        self.preauthenticated: Identity | None = None
        self.deadlines = Deadlines(connect=self.opened_at + settings.connect_deadline)
        self.next_check = math.inf

    @property
    def busy(self) -> bool:
        """Tell whether a command is being answered, so that what the client sends waits."""
        return self.inbox is not None

    def send(self, message: Message) -> None:
        """Send a message of this connection's own."""
        self.put(self.wire_format.encode(message))

    def send_shared(self, message: SharedMessage) -> None:
        """Send a message that others get, too."""
        self.put(message.encoded_for(self.wire_format))

    def accepts(self, stream: str, offset: int, message: SharedMessage) -> bool:
        """Tell whether a publication of a stream is to be sent now: it is new, and the stream is not held back."""
        state = self.streams.get(stream)
        if state is None:
            return False
        if state.offer(offset, message):
            return True
        if state.overflowed:
            self.close(codes.INSUFFICIENT_STATE)
        return False
