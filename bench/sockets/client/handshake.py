"""The steps that take a client from a bare TCP connection to receiving messages; bytes in, bytes out, no socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.sockets.client.frames import split_frames


class HandshakeError(Exception):
    """The server responded to a handshake with an error."""


@dataclass(frozen=True, slots=True)
class Step:
    """Send a frame (b"" for none), then wait for a text that contains `expect`."""

    send: bytes
    expect: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What a kind of server expects of clients: an HTTP upgrade (b"" for bare TCP), and `pong` for each text `ping`."""

    request: bytes = b""
    ping: bytes = b""
    pong: bytes = b""


def websocket_upgrade(path: str) -> bytes:
    """Return the request that opens a WebSocket; it offers no extension, so no server compresses."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    return "\r\n".join((*lines, "", "")).encode()


class Handshake:
    """State of one connection's handshake.

    `replies` are the texts that were expected and `others` those that arrived in between; `rest` is the incomplete
    frame at the end. Texts within one frame are separated by newlines, as in the live protocol.
    """

    __slots__ = ("_awaiting_head", "_next", "_opening", "_steps", "others", "replies", "rest")

    def __init__(self, opening: Opening, steps: Sequence[Step]) -> None:
        self._opening = opening
        self._steps = steps
        self._next = 0
        self._awaiting_head = bool(opening.request)
        self.replies: list[bytes] = []
        self.others: list[bytes] = []
        self.rest = b""

    @property
    def done(self) -> bool:
        """Return whether every step is complete."""
        return not self._awaiting_head and self._next == len(self._steps)

    def begin(self) -> bytes:
        """Return the first bytes to send."""
        return self._opening.request or self._frame_to_send()

    def feed(self, data: bytes) -> bytes:
        """Process received bytes and return the bytes to send; raise `HandshakeError` or `BadServerFrameError`."""
        self.rest += data
        output = b""
        if self._awaiting_head:
            head, end, rest = self.rest.partition(b"\r\n\r\n")
            if not end:
                return b""
            if not head.startswith(b"HTTP/1.1 101"):
                raise HandshakeError(head.partition(b"\r\n")[0].decode(errors="replace"))
            self._awaiting_head, self.rest = False, rest
            output = self._frame_to_send()
        payloads, self.rest = split_frames(self.rest)
        for payload in payloads:
            for text in payload.split(b"\n"):
                output += self._receive(text)
        return output

    def _frame_to_send(self) -> bytes:
        return self._steps[self._next].send if self._next < len(self._steps) else b""

    def _receive(self, text: bytes) -> bytes:
        if text == self._opening.ping:
            return self._opening.pong
        if self.done:
            self.others.append(text)
        elif self._steps[self._next].expect in text:
            self.replies.append(text)
            self._next += 1
            return self._frame_to_send()
        elif b'"error"' in text:
            raise HandshakeError(text[:200].decode(errors="replace"))
        else:
            self.others.append(text)
        return b""
