"""Parsing of WebSocket frames by RFC 6455, with the bytes split at every position."""

from __future__ import annotations

import itertools
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.protocol import codes
from channels.protocol.codes import Disconnect
from channels.transports.framing import Closed, Event, FrameReader, PeerClosed, Pinged, Ponged, Received, Violation

LIMIT = 1 << 20
FIN = 0x80


def frame(first: int, payload: bytes, *, mask: bytes = b"\x01\x02\x03\x04", wire_format: int = 0) -> bytes:
    """Return a client's frame; `form` 126 or 127 forces a longer length field than needed."""
    size = len(payload)
    if size > 65_535 or wire_format == 127:
        length = bytes((0x80 | 127,)) + struct.pack(">Q", size)
    elif size > 125 or wire_format == 126:
        length = bytes((0x80 | 126,)) + struct.pack(">H", size)
    else:
        length = bytes((0x80 | size,))
    return bytes((first,)) + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def events(data: bytes, *, limit: int = LIMIT) -> list[Event]:
    """Return a reader's events for bytes that arrive at once."""
    return list(FrameReader(limit).feed(data))


TEXT, BINARY, MORE = 0x81, 0x82, 0x80


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(TEXT, b"hello"), [Received("hello")]),
        (frame(TEXT, b""), [Received("")]),
        (frame(BINARY, b"\xff\x00"), [Received(b"\xff\x00")]),
        (frame(TEXT, b"x" * 125), [Received("x" * 125)]),
        (frame(TEXT, b"x" * 126), [Received("x" * 126)]),
        (frame(BINARY, b"x" * 65_536), [Received(b"x" * 65_536)]),
        (frame(0x89, b"hi"), [Pinged(b"hi")]),
        (frame(0x89, b"x" * 125), [Pinged(b"x" * 125)]),
        (frame(0x8A, b"hi"), [Ponged()]),
        (frame(0x01, b"hel") + frame(MORE, b"lo"), [Received("hello")]),
        (frame(0x01, b"") + frame(0x00, b"a") + frame(MORE, b""), [Received("a")]),
        (frame(0x02, b"a") + frame(MORE, b"b"), [Received(b"ab")]),
        # Control frames may come between the fragments of a message (section 5.4).
        (frame(0x01, b"a") + frame(0x89, b"?") + frame(MORE, b"b"), [Pinged(b"?"), Received("ab")]),
        # A character may be split by the fragments, or by a frame that arrives in pieces.
        (frame(0x01, "κ".encode()[:1]) + frame(MORE, "κ".encode()[1:]), [Received("κ")]),
        (frame(TEXT, b"a") + frame(BINARY, b"b"), [Received("a"), Received(b"b")]),
        (frame(0x88, b""), [Closed(codes.NORMAL)]),
        (frame(0x88, struct.pack(">H", 1001) + "bye ☂".encode()), [Closed(Disconnect(1001, "bye"))]),
        (frame(0x88, b"") + frame(TEXT, b"late"), [Closed(codes.NORMAL)]),
    ],
)
def test_frames(data: bytes, expected: list[Event]) -> None:
    """Frames that the standard allows are parsed."""
    assert events(data) == expected
    byte_by_byte = FrameReader(LIMIT)
    if len(data) < 1000:
        assert [event for at in range(len(data)) for event in byte_by_byte.feed(data[at : at + 1])] == expected


PROTOCOL = Violation(codes.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes((TEXT, 1)) + b"x", PROTOCOL),  # not masked
        (frame(TEXT | 0x40, b"x"), PROTOCOL),  # reserved bits
        (frame(TEXT | 0x20, b"x"), PROTOCOL),
        (frame(TEXT | 0x10, b"x"), PROTOCOL),
        *((frame(FIN | opcode, b""), PROTOCOL) for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)),
        (frame(0x09, b""), PROTOCOL),  # control frames are whole …
        (frame(0x89, b"x" * 126), PROTOCOL),  # … and short
        (frame(0x88, b"x" * 126), PROTOCOL),
        (frame(MORE, b"x"), PROTOCOL),  # a continuation of nothing
        (frame(0x00, b"x"), PROTOCOL),
        (frame(0x01, b"a") + frame(TEXT, b"b"), PROTOCOL),  # a message within another
        (frame(0x01, b"a") + frame(MORE, b"b") + frame(MORE, b"c"), PROTOCOL),
        (frame(TEXT, b"x", wire_format=126), PROTOCOL),  # not the shortest length
        (frame(TEXT, b"x" * 126, wire_format=127), PROTOCOL),
        (bytes((TEXT, 0xFF)) + struct.pack(">Q", 1 << 63), PROTOCOL),
        (frame(TEXT, b"\xce"), Violation(codes.INVALID_TEXT)),
        (frame(TEXT, b"\xed\xa0\x80"), Violation(codes.INVALID_TEXT)),  # a surrogate
        (frame(TEXT, b"\xf4\x90\x80\x80"), Violation(codes.INVALID_TEXT)),  # beyond Unicode
        (frame(0x01, b"a\xff"), Violation(codes.INVALID_TEXT)),  # at the first fragment already
        (frame(0x01, b"\xce") + frame(MORE, b""), Violation(codes.INVALID_TEXT)),
        *(
            (frame(0x88, struct.pack(">H", code)), PROTOCOL)
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
        ),
        (frame(0x88, b"\x03"), PROTOCOL),
        (frame(0x88, struct.pack(">H", 1000) + b"\xff"), Violation(codes.INVALID_TEXT)),
    ],
)
def test_broken_frames(data: bytes, expected: Event) -> None:
    """Frames that the standard forbids close the connection with their code, and no further frame is read."""
    reader = FrameReader(LIMIT)
    seen = [event for event in reader.feed(data + frame(TEXT, b"after")) if isinstance(event, Violation | Closed)]
    assert seen == [expected]
    assert list(reader.feed(frame(TEXT, b"after"))) == []


CLOSE = frame(0x88, struct.pack(">H", 1002))


@pytest.mark.parametrize(
    "data",
    [
        frame(0x83, b"x") + CLOSE,
        frame(0x83, b"x") + frame(TEXT, b"\x88\x80") + frame(0x89, b"") + CLOSE,  # other frames are skipped whole
        bytes((TEXT, 1)) + b"x" + CLOSE,  # a frame without a mask is shorter
        frame(TEXT, b"\xff" * 300) + frame(0x88, b""),
        frame(TEXT, b"x" * (LIMIT + 1)) + CLOSE,  # the payload of a message that is too long is skipped
        frame(TEXT, b"x", wire_format=127) + CLOSE,
        frame(0x01, b"a") + frame(TEXT, b"b") + CLOSE,
        frame(0x88, struct.pack(">H", 999)),  # a close frame that is at fault is one as well
        frame(0x88, b"x" * 200),
        frame(0x08, b""),
        frame(0xC8, b""),
        bytes((0x88, 0)),
    ],
)
def test_the_close_frame_after_a_violation_is_noticed(data: bytes) -> None:
    """After a violation the peer's close frame is reported once, when all of its bytes are there, however they come."""
    *_, violation, last = events(data)
    assert isinstance(violation, Violation)
    assert last == PeerClosed()
    assert PeerClosed() not in events(data[:-1])
    assert events(data + CLOSE + frame(TEXT, b"late")) == events(data)
    piece = 1 if len(data) < 1000 else 4096
    reader = FrameReader(LIMIT)
    split = [event for at in range(0, len(data), piece) for event in reader.feed(data[at : at + piece])]
    assert split[-2:] == events(data)[-2:]


def test_without_a_close_frame_nothing_follows_a_violation() -> None:
    """Frames of any other kind are skipped, also if they contain the bytes of a close frame."""
    reader = FrameReader(LIMIT)
    assert isinstance(next(iter(reader.feed(frame(0x83, CLOSE)))), Violation)
    for data in (frame(TEXT, CLOSE), frame(0x89, b"x"), frame(0x8A, CLOSE), frame(0xFF, CLOSE)):
        assert list(reader.feed(data)) == []
    assert list(reader.feed(CLOSE)) == [PeerClosed()]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_codes_that_a_peer_may_send(code: int) -> None:
    """A close frame with a code of section 7.4 is answered with the same code."""
    assert events(frame(0x88, struct.pack(">H", code))) == [Closed(Disconnect(code, "bye"))]


@pytest.mark.parametrize(
    "data",
    [
        bytes((TEXT, 0xFF)) + struct.pack(">Q", 1 << 62),
        bytes((TEXT, 0xFF)) + struct.pack(">Q", 65_537),
        frame(0x01, b"x" * 60_000) + bytes((MORE, 0x80 | 126)) + struct.pack(">H", 6_000),
    ],
)
def test_too_long(data: bytes) -> None:
    """A message that is too long is rejected by its header, before its bytes arrive; fragments are added up."""
    assert events(data, limit=65_536)[-1:] == [Violation(codes.TOO_BIG)]


@given(st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=8), st.data())
def test_any_split(messages: list[str | bytes], data: st.DataObject) -> None:
    """Messages arrive complete and in order, however the bytes are split into frames and reads."""
    stream = b""
    for message in messages:
        payload, first = (message.encode(), 0x1) if isinstance(message, str) else (message, 0x2)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        edges = [0, *cuts, len(payload)]
        parts = [payload[one:two] for one, two in itertools.pairwise(edges)]
        for number, part in enumerate(parts):
            opcode = first if number == 0 else 0x0
            final = FIN if number == len(parts) - 1 else 0
            stream += frame(opcode | final, part, mask=os.urandom(4))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    reader = FrameReader(LIMIT)
    seen = [event for one, two in itertools.pairwise(edges) for event in reader.feed(stream[one:two])]
    assert seen == [Received(message) for message in messages]


@given(st.binary(max_size=500))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are parsed without an exception, and nothing follows an end but the peer's close frame."""
    seen = events(data)
    if seen[-1:] == [PeerClosed()]:
        seen.pop()
        assert isinstance(seen[-1], Violation)
    assert all(not isinstance(event, Violation | Closed | PeerClosed) for event in seen[:-1])
