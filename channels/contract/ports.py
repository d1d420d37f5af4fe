"""What the live layer asks of the rest: who a token is, what a stream holds, and who may hear a channel.

The adapters stand in `server`, which alone may know both `channels` and `storage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who is connected: the user's id, the session, and when the token ends (Unix seconds)."""

    user_id: int
    session: str
    expires_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A point in a stream: offsets grow within one epoch; another epoch means another history."""

    epoch: str
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One item of a channel: JSON bytes, and its offset where the channel can be recovered (0 elsewhere)."""

    data: bytes
    offset: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """What came after a position, oldest first; `recovered` False when something cannot be told any more."""

    recovered: bool
    publications: Sequence[Publication]
    position: Position


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Leave to hear a channel; `owner_id` is whose block ends it, `topic` what `LivePublisher.to_topic` is told.

    `data` is a JSON document that the subscription begins with, where a channel has one: how things stand. Since it
    was read before the topic was heard, leave is then asked for once more.
    """

    topic: str
    owner_id: int
    data: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """Whether a person is online, or else when they last were (Unix milliseconds), where that is known."""

    online: bool
    last_seen: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A person who is present on a channel; `user` is the id as clients know it."""

    user: str


class Authenticator(Protocol):
    """Tell who holds a token."""

    async def authenticate(self, token: str) -> Identity:
        """Return the identity; raise `TokenExpiredError`, `TokenInvalidError` or `LiveUnavailableError`.

        Takes an access token or a one-use ticket. Whether the session was revoked is for `confirm` to tell.
        """
        ...

    async def confirm(self, identity: Identity) -> None:
        """Raise `TokenInvalidError` if the identity's session was revoked meanwhile, or `LiveUnavailableError`.

        Asked once the connection can be reached by a disconnect order, so that a sign-out that happened
        between `authenticate` and that moment does not slip through.
        """
        ...


class Streams(Protocol):
    """Read the streams "feed" and "notifications" of a person.

    A publication that is announced over pub/sub after `position` or `recover` returned has a greater
    offset than the position they gave; so a client joins the hub first, then asks, then drops repeats.
    """

    async def position(self, user_id: int, stream: str) -> Position:
        """Return the end of a stream, bringing it into being if need be; raise `LiveUnavailableError`."""
        ...

    async def recover(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return what came after `since`; raise `LiveUnavailableError`."""
        ...

    async def history(self, user_id: int, stream: str, limit: int, *, newest: bool) -> Recovery:
        """Return up to `limit` of what is kept, oldest first: the newest ones of it, or the oldest ones."""
        ...


class Authorizer(Protocol):
    """Decide who may hear a channel that clients subscribe to."""

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant; raise `UnknownChannelError`, `PermissionDeniedError` or `LiveUnavailableError`."""
        ...


class Presences(Protocol):
    """Tell who is present on a channel, and put into words who comes and goes."""

    async def members(self, identity: Identity, channel: str) -> Sequence[Member]:
        """Return who is there, one for each person.

        Raises `UnknownChannelError`, `PermissionDeniedError`, `NotOfferedError` (nobody is told that of this
        channel) or `LiveUnavailableError`.
        """
        ...

    def encode_change(self, user_id: int, presence: Presence) -> bytes:
        """Return the JSON document that tells listeners of a change; returns at once."""
        ...


class Operations(Protocol):
    """Carry out what a client asks of the service itself."""

    async def call(self, identity: Identity, method: str, data: object) -> bytes:
        """Return the result, a JSON document.

        Raises `UnknownOperationError`, `OperationError` with its own code, or `LiveUnavailableError`.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Everything that the live layer asks of the rest."""

    authenticator: Authenticator
    streams: Streams
    authorizer: Authorizer
    presences: Presences
    operations: Operations
