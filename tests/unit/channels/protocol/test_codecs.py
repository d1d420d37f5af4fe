"""JSON, MessagePack and frames: what they decode, what they reject, and their bytes."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import orjson
import pytest

from channels.connection.wire_format import SharedMessage
from channels.contract.ports import Position, Publication
from channels.protocol import codes
from channels.protocol.codec import BadFrameError
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_msgpack import MsgpackCodec
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.protocol.codes import Disconnect, ErrorCode, Unsubscribed
from channels.protocol.messages import Command, error_reply, publication_push, reply, stream_result, unsubscribe_push
from channels.transports.websocket_format import WebSocketFormat, close_frame, frame

JSON, MSGPACK = JsonCodec(), MsgpackCodec()


def test_json_lines() -> None:
    """A text frame holds commands joined by newlines, in order; a trailing newline is accepted."""
    assert JSON.decode('{"id":1,"connect":{"token":"t"}}\n{}\n') == [
        Command(1, "connect", {"token": "t"}),
        Command(0, None, {}, blank=True),
    ]


def test_msgpack_maps() -> None:
    """A binary frame holds concatenated maps."""
    data = msgpack.packb({"id": 1, "ping": {}}) + msgpack.packb({})
    assert MSGPACK.decode(data) == [Command(1, "ping", {}), Command(0, None, {}, blank=True)]


@pytest.mark.parametrize(
    "text",
    ["", "\n", "{", "[]", "null", "1", '{"id":-1}', '{"id":true}', '{"id":1.0}', '{"id":"1"}', '{"id":4294967296}',
     '{"id":1,"connect":[]}', '{"id":1}\n\n{"id":2}', "[" * 100_000],
)  # fmt: skip
def test_json_rejections(text: str) -> None:
    """Anything but one or more command objects is a bad frame."""
    with pytest.raises(BadFrameError):
        JSON.decode(text)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x81", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", msgpack.packb([]), msgpack.packb(1),
     msgpack.packb({"id": 1}) + b"\x81\xa1", b"\x91" * 5000, msgpack.packb({1: 2, "id": "x"})],
)  # fmt: skip
def test_msgpack_rejections(data: bytes) -> None:
    """A truncated frame, a wrong length or anything but command maps is a bad frame."""
    with pytest.raises(BadFrameError):
        MSGPACK.decode(data)


DOCUMENT: Any = {"type": "photo.new", "photo": {"id": "0000000000001", "likes": 3, "caption": 'quote " and ümlaut'}}
PUSH = publication_push("feed", Publication(data=orjson.dumps(DOCUMENT), offset=(1 << 52) + 1))
EXPECTED = {"push": {"channel": "feed", "pub": {"data": DOCUMENT, "offset": (1 << 52) + 1}}}


def test_documents_are_embedded() -> None:
    """A document is part of the message with each codec, not text within it; JSON keeps its bytes."""
    assert orjson.loads(JSON.encode(PUSH)) == EXPECTED
    assert msgpack.unpackb(MSGPACK.encode(PUSH)) == EXPECTED
    raw = b'{"keeps":  "its own  spacing"}'
    assert raw in JSON.encode(publication_push("feed", Publication(data=raw)))


def test_messages() -> None:
    """Replies, errors, pushes and results have the protocol's fields."""
    assert reply(3, "ping", {}) == {"id": 3, "ping": {}}
    assert error_reply(3, ErrorCode.PERMISSION_DENIED) == {
        "id": 3,
        "error": {"code": 103, "message": "permission denied"},
    }
    assert error_reply(3, ErrorCode.INTERNAL)["error"]["temporary"] is True
    assert unsubscribe_push("a", Unsubscribed.INSUFFICIENT)["push"]["unsubscribe"]["code"] == 2500
    position = Position(epoch="e", offset=9)
    fresh = stream_result(position, recovered=None, publications=())
    assert fresh == {"recoverable": True, "positioned": True, "epoch": "e", "offset": 9}
    lost = stream_result(position, recovered=False, publications=())
    assert (lost["was_recovering"], lost["recovered"], lost["publications"]) == (True, False, [])


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f" + struct.pack(">Q", 65536)),
    ],
)
def test_frame_header(size: int, header: bytes) -> None:
    """The header's length has the three forms of RFC 6455, section 5.2."""
    assert frame(1, b"x" * size) == header + b"x" * size


def test_frames_of_codecs() -> None:
    """JSON is sent in text frames, the others in binary ones; a ping is an empty message."""
    assert WebSocketFormat(JSON).encode({}) == b"\x81\x02{}"
    assert WebSocketFormat(ProtobufCodec()).encode({}) == b"\x82\x01\x00"
    assert WebSocketFormat(MSGPACK).encode({}) == b"\x82\x01\x80"


def test_shared_frame_is_encoded_once() -> None:
    """A push to many is encoded once per wire format."""
    shared, text, packed = SharedMessage(PUSH), WebSocketFormat(JSON), WebSocketFormat(MSGPACK)
    assert shared.encoded_for(text) is shared.encoded_for(text)
    assert shared.encoded_for(packed) is shared.encoded_for(packed)
    assert shared.encoded_for(text) == text.encode(PUSH)


EVERY_DISCONNECT = [value for value in vars(codes).values() if isinstance(value, Disconnect)]


@pytest.mark.parametrize("disconnect", EVERY_DISCONNECT, ids=str)
def test_reasons_are_safe(disconnect: Disconnect) -> None:
    """Every close reason is short, not empty and not JSON, since browser clients parse it before the code."""
    assert 0 < len(disconnect.reason.encode()) <= 123
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(disconnect.reason)
    assert disconnect.code != 1009
    assert close_frame(disconnect)[2:4] == disconnect.code.to_bytes(2, "big")


def test_every_error_has_a_message() -> None:
    """Every error reply has a message."""
    assert all(error_reply(1, code)["error"]["message"].strip() for code in ErrorCode)
