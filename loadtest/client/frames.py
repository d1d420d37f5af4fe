"""Read frames of the live protocol, no further than a load test needs.

A publication is the same bytes for everybody who hears it, so a frame that was read a moment ago is not parsed
again: with thousands of sockets in one process this is most of the work saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

MARK = "picshare loadtest"  # the captions of a load test's photos begin so
_REMEMBERED = 256  # frames


class BadFrameError(Exception):
    """Say that a frame is not the live protocol."""


@dataclass(frozen=True, slots=True)
class Ping:
    """The server asks whether this client is there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command: its result, or the error's code and message."""

    id: int
    result: Mapping[str, Any]
    error: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication; `offset` 0 stands outside its stream's order.

    `key` names the act of a load test that it tells of, and is empty for everything else. `entry` is the
    notification's id, if it brings one.
    """

    channel: str
    offset: int
    key: str = ""
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A message that a load test has no use for."""


Message = Ping | Reply | Publication | Other
_PING, _OTHER = Ping(), Other()


def liked(photo_id: str, liker_id: str) -> str:
    """Return the key of a like."""
    return f"like {photo_id} {liker_id}"


def unliked(entry_id: str) -> str:
    """Return the key of a like's end: its notification is taken away."""
    return f"gone {entry_id}"


class FrameReader:
    """Turn frames into messages; one reader serves all sockets of a process."""

    def __init__(self) -> None:
        self._read: dict[bytes, tuple[Message, ...]] = {}

    def read(self, frame: bytes) -> tuple[Message, ...]:
        """Return the messages of a text frame, one a line; raise `BadFrameError`."""
        known = self._read.get(frame)
        if known is not None:
            return known
        messages = tuple(message_of(line) for line in frame.split(b"\n") if line)
        if not any(type(message) is Reply for message in messages):
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            self._read[frame] = messages
        return messages


def message_of(line: bytes) -> Message:
    """Return one message; raise `BadFrameError`."""
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
        raise BadFrameError(f"the server sent what is not the live protocol: {line[:80]!r}") from error
    return _OTHER


def publication_of(channel: str, pub: Mapping[str, Any]) -> Publication:
    """Return a publication, live or recovered."""
    data = pub["data"]
    offset = int(pub.get("offset", 0))
    match data.get("type"):
        case "photo.new":
            caption = data["photo"].get("caption") or ""
            return Publication(channel, offset, caption if caption.startswith(MARK) else "")
        case "notification":
            notification = data["notification"]
            if notification["kind"] == "like" and notification["actors"]:
                key = liked(notification["photo_id"], notification["actors"][0]["id"])
                return Publication(channel, offset, key, notification["id"])
        case "notification.removed":
            return Publication(channel, offset, unliked(data["notification_id"]))
        case _:
            pass
    return Publication(channel, offset)


def _reply(document: Mapping[str, Any]) -> Reply:
    error = document.get("error")
    if error is not None:
        return Reply(int(document["id"]), {}, (int(error["code"]), str(error.get("message", ""))))
    result = next((value for name, value in document.items() if name != "id"), None)
    return Reply(int(document["id"]), result or {})
