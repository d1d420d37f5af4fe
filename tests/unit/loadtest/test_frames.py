"""Parsing frames of the live protocol, as far as a load test needs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from loadtest.client.frames import (
    CommandReply,
    FrameParser,
    MalformedFrameError,
    Other,
    Ping,
    ReceivedPublication,
    liked,
    message_of,
    unliked,
)


def push(channel: str, data: dict[str, Any], **pub: Any) -> bytes:
    """Return the frame of a publication."""
    return orjson.dumps({"push": {"channel": channel, "pub": {"data": data, **pub}}})


def notification(kind: str = "like", *actors: str) -> dict[str, Any]:
    """Return a notification document."""
    return {
        "type": "notification",
        "notification": {"id": "n1", "kind": kind, "photo_id": "p1", "actors": [{"id": actor} for actor in actors]},
    }


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"{}", Ping()),
        (b'{"id":1,"connect":{"ttl":5}}', CommandReply(1, {"ttl": 5})),
        (b'{"id":2,"refresh":{}}', CommandReply(2, {})),
        (b'{"id":3,"error":{"code":109,"message":"token expired"}}', CommandReply(3, {}, (109, "token expired"))),
        (b'{"push":{"channel":"feed","unsubscribe":{"code":2500}}}', Other()),
        (push("feed", {"type": "photo.new", "photo": {"caption": "picshare loadtest a 0-1"}}, offset=7),
         ReceivedPublication("feed", 7, "picshare loadtest a 0-1")),
        (push("feed", {"type": "photo.new", "photo": {"caption": "my cat"}}, offset=7), ReceivedPublication("feed", 7)),
        (push("feed", {"type": "photo.new", "photo": {"caption": None}}), ReceivedPublication("feed", 0)),
        (push("notifications", notification("like", "u9", "u8"), offset=8),
         ReceivedPublication("notifications", 8, liked("p1", "u9"), "n1")),
        (push("notifications", notification("like"), offset=8), ReceivedPublication("notifications", 8)),
        (push("notifications", notification("follow", "u9"), offset=9), ReceivedPublication("notifications", 9)),
        (push("notifications", {"type": "notification.removed", "notification_id": "n1"}, offset=10),
         ReceivedPublication("notifications", 10, unliked("n1"))),
        (push("photo:p1", {"type": "photo.liked", "likes": 1}), ReceivedPublication("photo:p1", 0)),
    ],
)  # fmt: skip
def test_a_message_is_read(frame: bytes, message: object) -> None:
    """Each kind of message, and the act that a publication belongs to."""
    assert message_of(frame) == message


@pytest.mark.parametrize(
    "frame",
    [b"<html>", b"[1]", b'"text"', b"1", b'{"push":{"pub":{"data":{}}}}', b'{"id":1,"error":{}}', b'{"push":1}'],
)
def test_anything_else_is_an_error(frame: bytes) -> None:
    """The response of another kind of server is a `MalformedFrameError`, never a message or another exception."""
    with pytest.raises(MalformedFrameError, match="outside the live protocol"):
        message_of(frame)


def test_a_frame_contains_several_messages() -> None:
    """Messages are separated by line feeds; a final line feed is not a message."""
    assert FrameParser().read(b'{}\n{"id":1,"connect":{}}\n') == (Ping(), CommandReply(1, {}))


def test_a_frame_for_many_is_parsed_once() -> None:
    """The same publication for another socket is the same object; replies are not cached."""
    reader = FrameParser()
    frame, reply = push("feed", {"type": "other"}, offset=1), b'{"id":1,"connect":{}}'
    assert reader.read(frame) is reader.read(bytes(bytearray(frame)))
    assert reader.read(reply) is not reader.read(reply)


def test_the_cache_is_bounded() -> None:
    """Frames that all differ do not fill the memory."""
    reader = FrameParser()
    for number in range(2000):
        reader.read(push("feed", {"type": "other"}, offset=number))
    assert len(reader._read) <= 256
