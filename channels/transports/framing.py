"""Parser of WebSocket frames from a client (RFC 6455, section 5): bytes in, events out, no I/O.

It is not a library's because it serves tens of thousands of idle connections. An idle reader is one small object, a
message that is too long is rejected by its header, before its first byte is buffered, and a frame that arrives whole,
as nearly all do, is not copied.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from channels.protocol import codes
from channels.protocol.codes import Disconnect

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_DATA, _CONTROL = frozenset({_CONTINUATION, _TEXT, _BINARY}), frozenset({_CLOSE, _PING, _PONG})
_MAX_CONTROL = 125
_MASK_BYTES = 4
# Codes that a peer may send in a close frame: section 7.4, and its IANA registry (1012–1014).
_SENDABLE = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


@dataclass(frozen=True, slots=True)
class Received:
    """A complete message, text or bytes."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class Pinged:
    """A ping, to be answered by a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Ponged:
    """A pong, possibly unsolicited."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer's close frame, with the close frame to reply with."""

    reply: Disconnect


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer violated the protocol: close with this; of further frames only a close frame is noticed."""

    disconnect: Disconnect


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer's close frame after a violation: both sides have closed, so the TCP connection ends now."""


Event = Received | Pinged | Ponged | Closed | Violation | PeerClosed


class _Fault(Exception):  # noqa: N818 - control flow of parsing, never leaves this module
    def __init__(self, disconnect: Disconnect) -> None:
        self.disconnect = disconnect


class FrameReader:
    """Incremental parser of one connection's frames; a message has at most `limit` bytes."""

    __slots__ = ("_decoder", "_done", "_incomplete", "_limit", "_parts", "_size", "_skips_close", "_text")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._incomplete = b""  # the beginning of a frame that has not arrived completely
        self._done = False
        # None until a violation; then whether the frame that is being skipped is a close frame.
        self._skips_close: bool | None = None
        # Fragments of an unfinished message; None between messages.
        self._parts: list[str | bytes] | None = None
        self._size = 0
        self._text = False
        self._decoder: codecs.IncrementalDecoder | None = None

    @property
    def between_messages(self) -> bool:
        """Return whether a new message may begin with the next byte."""
        return not self._incomplete and self._parts is None and self._skips_close is None and not self._done

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events in the data; only `PeerClosed` follows `Violation`, and nothing follows it or `Closed`."""
        if self._done:
            return
        data = self._incomplete + data if self._incomplete else data
        self._incomplete, at = b"", 0
        if self._skips_close is not None:
            yield from self._skip(data)
            return
        try:
            while (end := self._end_of_frame(data, at)) is not None:
                event = self._read(data, at, end)
                at = end
                if event is not None:
                    yield event
                if isinstance(event, Closed):
                    self._done = True
                    return
        except _Fault as fault:
            # The size is from now on the number of bytes of a frame that are still to be skipped.
            self._skips_close, self._size, self._parts, self._decoder = False, 0, None, None
            yield Violation(fault.disconnect)
            # The frame that is at fault may itself be the peer's close frame.
            yield from self._skip(data[at:])
            return
        self._incomplete = data[at:]

    def _skip(self, data: bytes) -> Iterator[Event]:
        """Skip frames by their headers, without any check, up to the end of a close frame."""
        at = 0
        while True:
            if not self._size:
                size = _frame_size(data, at)
                if size is None:
                    self._incomplete = data[at:]
                    return
                self._size, self._skips_close = size, data[at] & 0x0F == _CLOSE
            skipped = min(self._size, len(data) - at)
            at += skipped
            self._size -= skipped
            if self._size:
                return
            if self._skips_close:
                self._done = True
                yield PeerClosed()
                return

    def _end_of_frame(self, data: bytes, at: int) -> int | None:
        """Check a frame's header as soon as it is complete; return the frame's end, or None if more data is needed."""
        if len(data) < at + 2:
            return None
        first, second = data[at], data[at + 1]
        opcode, length, start = first & 0x0F, second & 0x7F, at + 2
        if first & 0x70 or not second & 0x80 or opcode not in _DATA | _CONTROL:
            raise _Fault(codes.PROTOCOL_ERROR)  # reserved bits, an unmasked frame, an unknown opcode
        if opcode in _CONTROL and (not first & 0x80 or length > _MAX_CONTROL):
            raise _Fault(codes.PROTOCOL_ERROR)
        if opcode in _DATA and (opcode == _CONTINUATION) == (self._parts is None):
            raise _Fault(codes.PROTOCOL_ERROR)  # a continuation without a message, or a message within another
        if length > _MAX_CONTROL:
            width = 2 if length == 126 else 8
            if len(data) < start + width:
                return None
            length = int.from_bytes(data[start : start + width], "big")
            start += width
            if length < (126 if width == 2 else 1 << 16) or length >> 63:
                raise _Fault(codes.PROTOCOL_ERROR)  # the length is not in the shortest form (section 5.2)
        # By the header alone: the payload of a message that is too long is never buffered.
        if opcode in _DATA and self._size + length > self._limit:
            raise _Fault(codes.TOO_BIG)
        end = start + _MASK_BYTES + length
        return end if len(data) >= end else None

    def _read(self, data: bytes, at: int, end: int) -> Event | None:
        first, length = data[at], data[at + 1] & 0x7F
        start = at + 2 + _MASK_BYTES + (0 if length < 126 else 2 if length == 126 else 8)
        payload = _unmasked(data[start:end], data[start - _MASK_BYTES : start])
        match first & 0x0F:
            case 0x9:
                return Pinged(payload)
            case 0xA:
                return Ponged()
            case 0x8:
                return Closed(_reply_to_close(payload))
            case opcode:
                return self._message(opcode, payload, final=bool(first & 0x80))

    def _message(self, opcode: int, payload: bytes, *, final: bool) -> Received | None:
        if self._parts is None:
            if final:
                return Received(_text_of(payload) if opcode == _TEXT else payload)
            self._parts, self._text = [], opcode == _TEXT
            self._decoder = codecs.getincrementaldecoder("utf-8")() if self._text else None
        self._size += len(payload)
        # Text is decoded fragment by fragment, so that invalid UTF-8 closes the connection at once.
        try:
            self._parts.append(payload if self._decoder is None else self._decoder.decode(payload, final))
        except UnicodeDecodeError:
            raise _Fault(codes.INVALID_TEXT) from None
        if not final:
            return None
        parts, self._parts, self._size, self._decoder = self._parts, None, 0, None
        empty: str | bytes = "" if self._text else b""
        return Received(empty.join(parts))  # type: ignore[arg-type]  # all of one kind


def _frame_size(data: bytes, at: int) -> int | None:
    """Return the bytes of a frame by its header, which may be invalid; None if the header is incomplete."""
    if len(data) < at + 2:
        return None
    length, width = data[at + 1] & 0x7F, 0
    if length > _MAX_CONTROL:
        width = 2 if length == 126 else 8
        if len(data) < at + 2 + width:
            return None
        length = int.from_bytes(data[at + 2 : at + 2 + width], "big")
    return 2 + width + (_MASK_BYTES if data[at + 1] & 0x80 else 0) + length


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Return an unmasked payload (section 5.3): each byte is XORed with one of the mask's four in turn."""
    # One XOR of two large integers is many times faster than a loop over bytes.
    size = len(payload)
    pad = mask * (size // 4 + 1)
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pad[:size], "little")).to_bytes(size, "little")


def _text_of(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise _Fault(codes.INVALID_TEXT) from None


def _reply_to_close(payload: bytes) -> Disconnect:
    """Return the reply to a close frame, with the peer's own code; raise `_Fault` if the frame is invalid."""
    if not payload:
        return codes.NORMAL
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in _SENDABLE:
        raise _Fault(codes.PROTOCOL_ERROR)
    _text_of(payload[2:])
    return Disconnect(code, codes.NORMAL.reason)
