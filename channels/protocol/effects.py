"""What the protocol core wants done, in its words; the shell does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from channels.contract.ports import Position
from channels.protocol.codes import Disconnect
from channels.protocol.messages import Message


@dataclass(frozen=True, slots=True)
class Connect:
    """Authenticate, and read the streams since the positions given."""

    id: int
    token: str = field(repr=False)
    since: Mapping[str, Position]


@dataclass(frozen=True, slots=True)
class Refresh:
    """Authenticate anew, with a token that ends later."""

    id: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask whether this person may hear a channel, and subscribe."""

    id: int
    channel: str


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Tell up to `limit` publications of a channel, after `since` where given; 0 asks for the position alone."""

    id: int
    channel: str
    limit: int
    since: Position | None
    reverse: bool


@dataclass(frozen=True, slots=True)
class ReadPresence:
    """Tell who is present on a channel, or only how many when `numbers`."""

    id: int
    channel: str
    numbers: bool


@dataclass(frozen=True, slots=True)
class CallMethod:
    """Carry out an operation of the service; `data` is any JSON value."""

    id: int
    method: str
    data: object


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """End a subscription."""

    id: int
    channel: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Send a message that is ready."""

    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; what follows in the frame is not judged any more."""

    disconnect: Disconnect


@dataclass(frozen=True, slots=True)
class NoOp:
    """Go on to the next command."""


# Effects that need I/O. The commands behind one of them wait until it is done.
Request = Connect | Refresh | Subscribe | ReadHistory | ReadPresence | CallMethod
# Effects that are executed at once.
LocalEffect = Unsubscribe | Reply | Close | NoOp
Effect = Request | LocalEffect
