"""Frames of the live protocol, parsed as far as a load test needs.

All subscribers receive the same bytes of a publication, so a frame that was parsed a moment ago is not parsed again.
With thousands of sockets in one process this saves most of the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

MARK = "picshare loadtest"  # the captions of a load test's photos begin so
_CACHED = 256  # frames


class MalformedFrameError(Exception):
    """A frame does not follow the live protocol."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping from the server."""


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The reply to a command: its result, or the code and message of the error."""

    id: int
    result: Mapping[str, Any]
    error: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class ReceivedPublication:
    """One publication; `offset` 0 means that it has no place in its stream's order.

    `key` identifies the act of a load test that caused it, and is empty for everything else. `entry` is the
    notification's id, if it contains one.
    """

    channel: str
    offset: int
    key: str = ""
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """Any other message; a load test ignores it."""


Message = Ping | CommandReply | ReceivedPublication | Other
_PING, _OTHER = Ping(), Other()


def liked(photo_id: str, liker_id: str) -> str:
    """Return the key of a like."""
    return f"like {photo_id} {liker_id}"


def unliked(entry_id: str) -> str:
    """Return the key of a like's end: its notification is taken disconnected."""
    return f"given_up {entry_id}"


class FrameParser:
    """Parses frames into messages; one reader serves all sockets of a process."""

    def __init__(self) -> None:
        self._read: dict[bytes, tuple[Message, ...]] = {}

    def read(self, frame: bytes) -> tuple[Message, ...]:
        """Return the messages of a text frame, one a line; raise `MalformedFrameError`."""
        known = self._read.get(frame)
        if known is not None:
            return known
        messages = tuple(message_of(line) for line in frame.split(b"\n") if line)
        if not any(type(message) is CommandReply for message in messages):
            if len(self._read) >= _CACHED:
                self._read.clear()
            self._read[frame] = messages
        return messages


def message_of(line: bytes) -> Message:
    """Return one message; raise `MalformedFrameError`."""
    try:
        document = orjson.loads(line)
        if not document:
            return _PING
        if "id" in document:
            return _reply(document)
        push = document.get("push", {})
        if "pub" in push:
            return publication_of(push["channel"], push["pub"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise MalformedFrameError(f"the server sent a frame outside the live protocol: {line[:80]!r}") from error
    return _OTHER


def publication_of(channel: str, pub: Mapping[str, Any]) -> ReceivedPublication:
    """Return a publication, live or recovered."""
    data = pub["data"]
    offset = int(pub.get("offset", 0))
    match data.get("type"):
        case "photo.new":
            caption = data["photo"].get("caption") or ""
            return ReceivedPublication(channel, offset, caption if caption.startswith(MARK) else "")
        case "notification" | "notification.changed":
            notification = data["notification"]
            if notification["kind"] == "like" and notification["actors"]:
                key = liked(notification["photo_id"], notification["actors"][0]["id"])
                return ReceivedPublication(channel, offset, key, notification["id"])
        case "notification.removed":
            return ReceivedPublication(channel, offset, unliked(data["notification_id"]))
        case _:
            pass
    return ReceivedPublication(channel, offset)


def _reply(document: Mapping[str, Any]) -> CommandReply:
    error = document.get("error")
    if error is not None:
        return CommandReply(int(document["id"]), {}, (int(error["code"]), str(error.get("message", ""))))
    result = next((value for name, value in document.items() if name != "id"), None)
    return CommandReply(int(document["id"]), result or {})
