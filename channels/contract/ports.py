"""Ports of the live layer: authentication, streams, channel permissions, presence lists and operations.

The adapters are in `server`, the only package that knows both `channels` and `storage`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """An authenticated user: id, session, and the expiry of the token in Unix seconds.

    `scopes` are the operations that the token permits, None if it permits all.
    """

    user_id: int
    session: str
    expires_at: float
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A point in a stream. Offsets grow within one epoch; another epoch is another history."""

    epoch: str
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One item of a channel: a JSON document, and its offset in a recoverable stream (0 in other channels)."""

    data: bytes
    offset: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """Publications after a position, oldest first, and the stream's end; `recovered` is False if some are lost."""

    recovered: bool
    publications: Sequence[Publication]
    position: Position


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Permission to subscribe to a channel; revoked when `owner_id` blocks the subscriber.

    `topic` is the name that `LivePublisher.to_topic` takes. `data` is the JSON document that the subscription begins
    with, if the channel has one: its current state. It is read before the process subscribes to the topic and may be
    stale by then, so the permission is requested a second time after the subscription.
    """

    topic: str
    owner_id: int
    data: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """Whether a user is online; for an offline user, the last time online in Unix milliseconds, if known."""

    online: bool
    last_seen: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A user who is present on a channel; `user` is the id in the API's form."""

    user: str


class Authenticator(Protocol):
    """Verify tokens."""

    async def authenticate(self, token: str) -> Identity:
        """Return the identity; raise `TokenExpiredError`, `TokenInvalidError` or `LiveUnavailableError`.

        Accepts an access token or a one-use ticket. Does not check whether the session was revoked; `confirm` does.
        """
        ...

    async def authenticate_stream(self, ticket: str, key: str | None) -> tuple[Identity, str]:
        """Return the identity of an event stream's ticket, and the key with which the stream reconnects.

        An EventSource reconnects with the URL of its first request, so with a ticket that is used up. It proves with
        the key, a secret of the stream that is in no URL, that it is the same client. `key` is None in the first
        request. Raises like `authenticate`.
        """
        ...

    async def confirm(self, identity: Identity) -> None:
        """Raise `TokenInvalidError` if the identity's session was revoked, or `LiveUnavailableError`.

        Called once the connection can be reached by a disconnect order, so that a sign-out between `authenticate`
        and that moment is not missed, and again when such an order may have been missed.
        """
        ...


class Streams(Protocol):
    """Read a user's streams "feed" and "notifications".

    A publication that is sent over pub/sub after `position` or `recover` returned has a greater offset than the
    position they returned. A connection therefore joins the hub first, then reads, then drops repeated offsets.
    """

    async def position(self, user_id: int, stream: str) -> Position:
        """Return the end of a stream, creating the stream if needed; raise `LiveUnavailableError`."""
        ...

    async def recover(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return the publications after `since`; raise `LiveUnavailableError`."""
        ...

    async def stars(self, user_id: int) -> Collection[int]:
        """Return the stars that a user follows: authors whose publications in the user's streams name no recipients.

        Changes are sent to the user's connections. Raises `LiveUnavailableError`.
        """
        ...

    async def history(self, user_id: int, stream: str, limit: int, *, newest: bool) -> Recovery:
        """Return up to `limit` retained publications, oldest first: the newest ones, or the oldest ones."""
        ...


class Authorizer(Protocol):
    """Decide which channels a user may subscribe to."""

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant; raise `UnknownChannelError`, `PermissionDeniedError` or `LiveUnavailableError`."""
        ...

    async def blocks(self, identity: Identity) -> Collection[int]:
        """Return the users that this user blocks, and those that block this user; raise `LiveUnavailableError`.

        Their publications on topics do not reach the user.
        """
        ...


class Presences(Protocol):
    """List the members of a channel, and encode presence changes."""

    async def members(self, identity: Identity, channel: str) -> Sequence[Member]:
        """Return the users who are present, each once.

        Raises `UnknownChannelError`, `PermissionDeniedError`, `NotOfferedError` (the channel has no member list)
        or `LiveUnavailableError`.
        """
        ...

    def encode_change(self, user_id: int, presence: Presence) -> bytes:
        """Return the JSON document that subscribers of a presence topic receive; must not block."""
        ...


class Operations(Protocol):
    """Operations of the service that clients call over a live connection (rpc)."""

    async def call(self, identity: Identity, method: str, data: object) -> bytes:
        """Return the result, a JSON document.

        Raises `UnknownOperationError`, `OperationError` with its own code, or `LiveUnavailableError`.
        """
        ...


class Projection(Protocol):
    """What a GraphQL document selects of publications.

    Subscriptions that select the same have the same instance, so that a publication is projected once for all of them.
    """

    def project(self, data: bytes) -> bytes | None:
        """Return the GraphQL response for a publication, a JSON object; None if it is no event of the subscription.

        Must not block: everything that is selected comes from the publication.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphqlSubscription:
    """A checked subscription: the stream or the channel of its events, and the position to continue from, if any."""

    channel: str
    projection: Projection
    since: Position | None = None


class GraphqlDocuments(Protocol):
    """Check the documents of GraphQL subscriptions, and charge them to the user's rate limit."""

    async def load(self) -> None:
        """Return once documents are checked without delay. Events before the check of a document do not reach it."""
        ...

    async def subscription(self, request: Mapping[str, Any], identity: Identity) -> GraphqlSubscription:
        """Return the subscription of a request as in GraphQL over HTTP.

        Raises `OperationRefusedError`, also where the rate limit is used up, and `LiveUnavailableError`.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """All adapters that the live layer needs; without `graphql` there are no GraphQL subscriptions."""

    authenticator: Authenticator
    streams: Streams
    authorizer: Authorizer
    presences: Presences
    operations: Operations
    graphql: GraphqlDocuments | None = None
