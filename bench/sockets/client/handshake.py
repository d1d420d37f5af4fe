"""How a client gets from a bare TCP connection to hearing messages; bytes in, bytes out, no socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.sockets.client.frames import split_frames


class GreetingError(Exception):
    """Say that a server answered a greeting with something else than a welcome."""


@dataclass(frozen=True, slots=True)
class Step:
    """Say a frame (or nothing), then wait for a text that holds `hear`."""

    say: bytes
    hear: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Manners:
    """What a kind of server expects: an HTTP upgrade (none for bare TCP), and a `pong` frame for each text `ping`."""

    upgrade: bytes = b""
    ping: bytes = b""
    pong: bytes = b""


def websocket_upgrade(path: str) -> bytes:
    """Return the request that opens a WebSocket, without any extension: no server may compress."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    return "\r\n".join((*lines, "", "")).encode()


class Greeting:
    """Take one connection through its steps.

    `answers` are the texts that were waited for, `others` those that came besides; `rest` is what has not been read.
    Texts within one frame are separated by newlines, as the live protocol has it.
    """

    __slots__ = ("_at", "_head_due", "_manners", "_steps", "answers", "others", "rest")

    def __init__(self, manners: Manners, steps: Sequence[Step]) -> None:
        self._manners = manners
        self._steps = steps
        self._at = 0
        self._head_due = bool(manners.upgrade)
        self.answers: list[bytes] = []
        self.others: list[bytes] = []
        self.rest = b""

    @property
    def done(self) -> bool:
        """Tell whether everything was said and heard."""
        return not self._head_due and self._at == len(self._steps)

    def begin(self) -> bytes:
        """Return what is sent first."""
        return self._manners.upgrade or self._say()

    def feed(self, data: bytes) -> bytes:
        """Take what arrived and return what is sent next; raise `GreetingError` or `BadServerFrameError`."""
        self.rest += data
        reply = b""
        if self._head_due:
            head, end, rest = self.rest.partition(b"\r\n\r\n")
            if not end:
                return b""
            if not head.startswith(b"HTTP/1.1 101"):
                raise GreetingError(head.partition(b"\r\n")[0].decode(errors="replace"))
            self._head_due, self.rest = False, rest
            reply = self._say()
        payloads, self.rest = split_frames(self.rest)
        for payload in payloads:
            for text in payload.split(b"\n"):
                reply += self._hear(text)
        return reply

    def _say(self) -> bytes:
        return self._steps[self._at].say if self._at < len(self._steps) else b""

    def _hear(self, text: bytes) -> bytes:
        if text == self._manners.ping:
            return self._manners.pong
        if self.done:
            self.others.append(text)
        elif self._steps[self._at].hear in text:
            self.answers.append(text)
            self._at += 1
            return self._say()
        elif b'"error"' in text:
            raise GreetingError(text[:200].decode(errors="replace"))
        else:
            self.others.append(text)
        return b""
