"""Encoding of pub/sub messages: recipients, stream offset, and one body for all of them.

On a process's channel, big-endian: u8 version · u64 offset · u32 count · count × u64 user ids · body. The body is a
msgpack map: {"stream", "data", "cause"?} for a publication, {"control": …} for an order.

On a channel of stars the message is the same, with the star in place of the recipients.

On a topic's channel the message is a msgpack map alone: {"data", "author"?, "authors"?, "cause"?}, {"control": "close"
or "restrict"}, or {"presence"}, 16 bytes: user id, and the Unix millisecond at which the user was last online, 0 if the
user is online (u64 each).

A cause is [Unix millisecond of its commit, queue, traceparent]; versions that do not know it ignore it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from channels.contract.causes import Cause
from channels.contract.errors import ChannelsError
from channels.contract.ports import Presence

VERSION = 1
_HEAD = struct.Struct(">BQI")
_PRESENCE = struct.Struct(">QQ")

PRESENCE_HEADER = bytes(msgpack.packb({"presence": bytes(_PRESENCE.size)})[: -_PRESENCE.size])
"""The bytes of a presence message before its two numbers; scripts append these."""


class BadEnvelopeError(ChannelsError):
    """A pub/sub message that this version cannot decode."""


@dataclass(frozen=True, slots=True)
class StreamBody:
    """A publication of a stream, "feed" or "notifications"; `data` is a JSON document."""

    stream: str
    data: bytes
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Revoke:
    """Order to end the recipients' subscriptions to topics of `owner`: to one topic, or to all for None.

    With `prefix` it is those whose names begin so, and clients subscribe again, for which they are authorized again.
    """

    owner: int
    topic: str | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class BlockChange:
    """Order to separate the recipients from the user `other`, or with `blocked` False to end that."""

    other: int
    blocked: bool


@dataclass(frozen=True, slots=True)
class StarChange:
    """Order to deliver to the recipients what the star publishes, or with `following` False to end that."""

    star: int
    following: bool


@dataclass(frozen=True, slots=True)
class OwnerEnd:
    """Order to end the subscriptions of all users to all topics of `owner`, or of all users but the owner.

    An order that has a name in `order` is carried out once, however often it is received. `last` is a JSON document
    that the subscribers receive on each topic before it ends; nothing if it is empty.
    """

    owner: int
    spare_owner: bool
    order: str = ""
    last: bytes = b""


@dataclass(frozen=True, slots=True)
class DisconnectOrder:
    """Order to close the recipients' connections: those of one session, or all for None."""

    session: str | None


@dataclass(frozen=True, slots=True)
class SessionInput:
    """Commands of a streaming client of this process; `data` is in the wire format of its stream."""

    session: str
    data: bytes | str


Body = StreamBody | Revoke | BlockChange | StarChange | OwnerEnd | DisconnectOrder | SessionInput


@dataclass(frozen=True, slots=True)
class Envelope:
    """A decoded message of a process's channel."""

    offset: int
    user_ids: tuple[int, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class TopicData:
    """A publication of a topic; `data` is a JSON document, `authors` the users whose acts it shows."""

    data: bytes
    authors: tuple[int, ...] = ()
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class TopicEnd:
    """Order to end a topic's subscriptions: all, or all but the owner's; with `again` clients subscribe again."""

    spare_owner: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """A user went online or offline."""

    user_id: int
    presence: Presence


TopicMessage = TopicData | TopicEnd | PresenceChange


def stream_body(stream: str, data: bytes, cause: Cause | None = None) -> bytes:
    """Return the body of a publication; `data` is a JSON document."""
    return bytes(msgpack.packb({"stream": stream, "data": data} | _encoded(cause)))


def control_body(
    *,
    control: str,
    owner: int | None = None,
    topic: str | None = None,
    prefix: str | None = None,
    session: str | None = None,
) -> bytes:
    """Return the body of an order.

    `control` is "revoke", with `owner` and with `topic` or `prefix` (see `Revoke`; both None for all of the owner's
    topics), or "disconnect", with `session` (None for all sessions).
    """
    if control == "revoke":
        narrowed = {name: value for name, value in (("topic", topic), ("prefix", prefix)) if value is not None}
        return bytes(msgpack.packb({"control": "revoke", "owner": owner, **narrowed}))
    if control == "disconnect":
        return bytes(msgpack.packb({"control": "disconnect", "session": session}))
    raise ValueError(f"unknown order {control!r}")


def block_body(other_id: int, *, blocked: bool) -> bytes:
    """Return the body that separates the recipients from another user, or ends that."""
    return bytes(msgpack.packb({"control": "block" if blocked else "unblock", "other": other_id}))


def star_body(star_id: int, following: bool) -> bytes:
    """Return the body after which the recipients receive what a star publishes, or do not any more."""
    return bytes(msgpack.packb({"control": "star" if following else "unstar", "star": star_id}))


def owner_end_body(owner_id: int, *, spare_owner: bool, order: str = "", last: bytes = b"") -> bytes:
    """Return the body that ends all subscriptions to an owner's topics, or all but the owner's; see `OwnerEnd`."""
    named: dict[str, object] = ({"order": order} if order else {}) | ({"last": last} if last else {})
    return bytes(msgpack.packb({"control": "restrict" if spare_owner else "close", "owner": owner_id, **named}))


def session_input_body(session: str, data: bytes | str) -> bytes:
    """Return the body that forwards a streaming client's commands."""
    return bytes(msgpack.packb({"control": "input", "session": session, "data": data}))


def topic_body(data: bytes, *, author_ids: Sequence[int] = (), cause: Cause | None = None) -> bytes:
    """Return a topic's message with a JSON document, and the users whose acts it shows."""
    message: dict[str, object] = {"data": data} | _encoded(cause)
    if author_ids:
        # Processes of an earlier version read the first one alone.
        message |= {"author": author_ids[0]} | ({"authors": list(author_ids)} if len(author_ids) > 1 else {})
    return bytes(msgpack.packb(message))


def topic_end_body(*, spare_owner: bool, again: bool = False) -> bytes:
    """Return a topic's message that ends its subscriptions: all of them, or all but its owner's; see `TopicEnd`."""
    named = {"again": True} if again else {}
    return bytes(msgpack.packb({"control": "restrict" if spare_owner else "close", **named}))


def encode_envelope(user_ids: list[int], body: bytes, *, offset: int = 0) -> bytes:
    """Return a message for a process's channel, as the scripts build it."""
    return _HEAD.pack(VERSION, offset, len(user_ids)) + struct.pack(f">{len(user_ids)}Q", *user_ids) + body


def decode_envelope(message: bytes) -> Envelope:
    """Decode a message of a process's channel; raise `BadEnvelopeError`."""
    try:
        version, offset, count = _HEAD.unpack_from(message)
        if version != VERSION:
            raise BadEnvelopeError(f"version {version}, this process reads {VERSION}")
        user_ids = struct.unpack_from(f">{count}Q", message, _HEAD.size)
        return Envelope(offset, user_ids, _body_of(message[_HEAD.size + 8 * count :]))
    except struct.error as error:
        raise BadEnvelopeError("truncated") from error


def decode_topic_message(message: bytes) -> TopicMessage:
    """Decode a message of a topic's channel; raise `BadEnvelopeError`."""
    match _unpack(message):
        case {"data": bytes(data), **more}:
            return TopicData(data, _authors_of(more), _cause_of(more.get("cause")))
        case {"control": "close"}:
            return TopicEnd(spare_owner=False)
        case {"control": "restrict", **more}:
            return TopicEnd(spare_owner=True, again=more.get("again") is True)
        case {"presence": bytes(numbers)} if len(numbers) == _PRESENCE.size:
            user_id, last_seen = _PRESENCE.unpack(numbers)
            return PresenceChange(user_id, Presence(online=not last_seen, last_seen=last_seen or None))
        case _:
            raise BadEnvelopeError("neither a publication nor a known order")


def _body_of(packed: bytes) -> Body:
    match _unpack(packed):
        case {"stream": str(stream), "data": bytes(data), "cause": cause}:
            return StreamBody(stream, data, _cause_of(cause))
        case {"stream": str(stream), "data": bytes(data)}:
            return StreamBody(stream, data)
        case {"control": "disconnect", "session": str() | None as session}:
            return DisconnectOrder(session)
        case {"control": "input", "session": str(session), "data": bytes() | str() as data}:
            return SessionInput(session, data)
        case dict(order):
            return _relation_order(order)
        case _:
            raise BadEnvelopeError("neither a publication nor an order")


def _relation_order(order: dict[object, object]) -> Revoke | BlockChange | StarChange | OwnerEnd:
    """Return the order that follows from a change between users, or of an account."""
    match order:
        case {"control": "revoke", "owner": int(owner), **more}:
            topic, prefix = more.get("topic"), more.get("prefix")
            return Revoke(owner, topic if isinstance(topic, str) else None, prefix if isinstance(prefix, str) else None)
        case {"control": "block" | "unblock" as control, "other": int(other)}:
            return BlockChange(other, blocked=control == "block")
        case {"control": "star" | "unstar" as control, "star": int(star)}:
            return StarChange(star, following=control == "star")
        case {"control": "close" | "restrict" as control, "owner": int(owner), **more}:
            last = more.get("last")
            return OwnerEnd(
                owner,
                spare_owner=control == "restrict",
                order=str(more.get("order", "")),
                last=last if isinstance(last, bytes) else b"",
            )
        case _:
            raise BadEnvelopeError("neither a publication nor a known order")


def _encoded(cause: Cause | None) -> dict[str, object]:
    if cause is None:
        return {}
    return {"cause": [round(cause.committed_at * 1000), cause.queue, cause.traceparent]}


def _authors_of(fields: dict[object, object]) -> tuple[int, ...]:
    authors, author = fields.get("authors"), fields.get("author")
    if isinstance(authors, list):
        ids = tuple(each for each in authors if isinstance(each, int))
        if len(ids) == len(authors):
            return ids
    return (author,) if isinstance(author, int) else ()


def _cause_of(packed: object) -> Cause | None:
    """Return the cause of a publication. One of another form is ignored: it is only measured."""
    # Not a `match`: this runs for every publication, and takes three times as long with patterns.
    if not isinstance(packed, list) or len(packed) < 3:
        return None
    milliseconds, queue, traceparent = packed[:3]
    if isinstance(milliseconds, int) and isinstance(queue, str) and isinstance(traceparent, str):
        return Cause(queue, milliseconds / 1000, traceparent)
    return None


def _unpack(packed: bytes) -> object:
    try:
        return msgpack.unpackb(packed)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadEnvelopeError("not msgpack") from error
