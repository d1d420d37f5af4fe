"""One socket of a load test: connects, listens, answers pings, and comes back with what it missed."""

from __future__ import annotations

import asyncio
import random
import time
from enum import Enum, auto
from typing import Protocol

from picows import WSCloseCode, WSError, WSFrame, WSInvalidStatusError, WSListener, WSMsgType, WSTransport

from loadtest.client.dialer import Door
from loadtest.client.frames import BadFrameError, FrameReader, Ping, Publication, Reply
from loadtest.client.protocol import RECONNECTS, ClientCore, Connected, Order, Refused
from loadtest.client.reasons import reason_of

CONNECT_DEADLINE = 15.0  # seconds from the open socket to the answer to connect
PATIENCE_BEYOND_PING = 10.0  # seconds past the announced interval without a ping, as SDKs wait
TOKEN_EXPIRED = 109
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds before coming back
_GONE = 1006  # what a connection that ended without a close code counts as (RFC 6455, 7.1.5)


class Fate(Enum):
    """How an attempt to be connected ended."""

    AGAIN = auto()  # come back, after a pause
    CUT = auto()  # come back at once: the load test itself cut it
    OVER = auto()  # do not come back


class Bearer(Protocol):
    """Who a socket belongs to."""

    token: str

    async def renew(self) -> None:
        """Get a newer token, if there can be one."""
        ...


class Events(Protocol):
    """What a socket tells, each call with the socket's number."""

    def connected(self, number: int, result: Connected, seconds: float, *, again: bool) -> None:
        """Tell of an accepted connect; `seconds` since it was begun, or since the one before was lost."""
        ...

    def heard(self, number: int, publication: Publication, order: Order, now: float) -> None:
        """Tell of a publication, live or recovered; `now` is on the clock of `time.monotonic`."""
        ...

    def away(self, number: int, code: int, *, cut: bool) -> None:
        """Tell that a connection that had been accepted ended."""
        ...

    def failed(self, number: int, sentence: str) -> None:
        """Tell that an attempt to connect failed."""
        ...

    def gone(self, number: int) -> None:
        """Tell that this socket will not come back."""
        ...


class LoadSocket(WSListener):
    """Keep one live connection of a person until `end`."""

    def __init__(self, number: int, person: Bearer, door: Door, reader: FrameReader, events: Events) -> None:
        self.number = number
        self._person = person
        self._door = door
        self._reader = reader
        self._events = events
        self._core = ClientCore()
        self._transport: WSTransport | None = None
        self._up = False
        self._been_up = False
        self._since = 0.0
        self._ping_due = 0.0
        self._pause_after = 0.0
        self._code = 0
        self._cut = False
        self._over = False
        self._told = False
        self._partial = b""

    async def keep(self) -> None:
        """Be connected, and come back after every interruption, until it is over."""
        attempt = 0
        self._since = time.monotonic()
        while not self._over:
            fate, was_up = await self._once()
            if fate is Fate.OVER or self._over:
                break
            attempt = 0 if was_up else attempt + 1
            if fate is Fate.AGAIN:
                # Full jitter: who lost the connection together does not come back together.
                await asyncio.sleep(random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempt, 10))))
        self._events.gone(self.number)

    def cut(self) -> bool:
        """Tear the connection down without a word, as a dead network would; return whether it was connected."""
        if self._transport is None or not self._up or self._cut:
            return False
        self._cut = True
        self._transport.disconnect(graceful=False)
        return True

    def end(self) -> None:
        """Close in good order and do not come back."""
        self._over = True
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK, b"bye")
            self._transport.disconnect()

    def refresh(self) -> None:
        """Tell the server this person's newer token."""
        if self._transport is not None and self._up:
            self._transport.send(WSMsgType.TEXT, self._core.refresh(self._person.token))

    def look(self, now: float) -> None:
        """Give a connection up that has not answered the connect, or not been pinged, for too long."""
        if self._transport is not None and self._ping_due and now > self._ping_due:
            self._ping_due = 0.0
            if not self._up:
                self._fail(f"no answer to connect within {CONNECT_DEADLINE:.0f} s")
            self._transport.disconnect(graceful=False)

    async def _once(self) -> tuple[Fate, bool]:
        self._code, self._cut, self._up, self._told, self._partial = 0, False, False, False, b""
        try:
            self._transport = await self._door.open(self, self.number)
            await self._transport.wait_disconnected()
        except (OSError, TimeoutError, WSError) as error:
            if not self._up:
                self._fail(_reason(error))
        finally:
            self._transport = None
        if not self._up and not self._over:
            self._fail("the connection ended before it was accepted")
        was_up, self._up, self._ping_due = self._up, False, 0.0
        return await self._ended(was_up=was_up), was_up

    async def _ended(self, *, was_up: bool) -> Fate:
        code = self._code or _GONE
        if was_up:
            self._since = time.monotonic()
            if not self._over:
                self._events.away(self.number, code, cut=self._cut)
        if code == TOKEN_EXPIRED:
            await self._person.renew()
            return Fate.AGAIN
        if self._cut:
            return Fate.CUT
        return Fate.AGAIN if code in RECONNECTS or code < 3000 else Fate.OVER

    def _fail(self, sentence: str) -> None:
        """Tell why this attempt failed, once."""
        if not self._told:
            self._told = True
            self._events.failed(self.number, sentence)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send the connect command."""
        self._transport = transport
        self._ping_due = time.monotonic() + CONNECT_DEADLINE
        transport.send(WSMsgType.TEXT, self._core.connect(self._person.token))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame of the server."""
        now = time.monotonic()
        if frame.msg_type == WSMsgType.CLOSE:
            self._closed(transport, frame.get_payload_as_bytes())
            return
        data = frame.get_payload_as_bytes()
        if self._partial or not frame.fin:
            self._partial += data
            if not frame.fin:
                return
            data, self._partial = self._partial, b""
        try:
            messages = self._reader.read(data)
        except BadFrameError as error:
            self._fail(str(error))
            transport.disconnect(graceful=False)
            return
        for message in messages:
            if type(message) is Publication:
                self._events.heard(self.number, message, self._core.take(message), now)
            elif type(message) is Ping:
                self._pinged(transport, now)
            elif type(message) is Reply:
                self._answered(message, transport, now)

    def _pinged(self, transport: WSTransport, now: float) -> None:
        self._ping_due = now + self._pause_after
        pong = self._core.ping()
        if pong is not None:
            transport.send(WSMsgType.TEXT, pong)

    def _answered(self, reply: Reply, transport: WSTransport, now: float) -> None:
        match self._core.answer(reply):
            case Connected() as result:
                self._pause_after = result.ping + PATIENCE_BEYOND_PING
                self._ping_due = now + self._pause_after if result.ping else 0.0
                again, self._been_up, self._up = self._been_up, True, True
                self._events.connected(self.number, result, now - self._since, again=again)
                for publication, order in result.missed:
                    self._events.heard(self.number, publication, order, now)
            case Refused(connect=True) as refusal:
                self._code = refusal.code
                self._fail(f"connect was answered with error {refusal.code} ({refusal.message})")
                transport.disconnect(graceful=False)
            case _:
                pass

    def _closed(self, transport: WSTransport, payload: bytes) -> None:
        self._code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
        if not self._up:
            words = payload[2:].decode(errors="replace")
            self._fail(f"closed with {self._code} ({words}) before it was connected")
        transport.send_close(WSCloseCode.OK)
        transport.disconnect()


def _reason(error: Exception) -> str:
    if isinstance(error, WSInvalidStatusError) and error.response is not None:
        return f"the server answered {int(error.response.status)} instead of opening a WebSocket"
    return reason_of(error)
