"""Effects: what the protocol core decides and the command handlers execute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    """Authenticate again, with a token that expires later."""

    id: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Check the permission for a channel, and subscribe; the id is a text where an operation of GraphQL needs it."""

    id: int | str
    channel: str


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Read up to `limit` publications of a channel, after `since` if given; limit 0 returns the position only."""

    id: int
    channel: str
    limit: int
    since: Position | None
    reverse: bool


@dataclass(frozen=True, slots=True)
class ReadPresence:
    """Read the members present on a channel, or only their number if `numbers`."""

    id: int
    channel: str
    numbers: bool


@dataclass(frozen=True, slots=True)
class CallMethod:
    """Call an operation of the service; `data` is any JSON value."""

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
    """Send a message."""

    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; further commands of the frame are ignored."""

    disconnect: Disconnect


@dataclass(frozen=True, slots=True)
class StartOperation:
    """Check a GraphQL document, and start the subscription that it describes."""

    id: str
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EndOperation:
    """End a GraphQL subscription, without a message."""

    id: str


@dataclass(frozen=True, slots=True)
class NoOp:
    """Do nothing; continue with the next command."""


# Effects that need I/O. The commands behind one of them wait until it is done.
Request = Connect | Refresh | Subscribe | ReadHistory | ReadPresence | CallMethod | StartOperation
# Effects that are executed at once.
LocalEffect = Unsubscribe | EndOperation | Reply | Close | NoOp
Effect = Request | LocalEffect
