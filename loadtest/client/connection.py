"""One socket of a load test: it connects, receives, answers pings, and reconnects with recovery."""

from __future__ import annotations

import asyncio
import random
import time
from enum import Enum, auto
from typing import Protocol

from picows import WSCloseCode, WSError, WSFrame, WSInvalidStatusError, WSListener, WSMsgType, WSTransport

from loadtest.client.dialer import Dialer
from loadtest.client.frames import CommandReply, FrameParser, MalformedFrameError, Ping, ReceivedPublication
from loadtest.client.protocol import RECONNECTS, ClientCore, Connected, Order, Refused
from loadtest.client.reasons import reason_of

CONNECT_TIMEOUT = 15.0  # seconds from the open socket to the connect reply
PING_TOLERANCE = 10.0  # seconds beyond the announced interval without a ping, as the SDKs wait
TOKEN_EXPIRED = 109
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0  # seconds before a reconnect
_ABNORMAL_CLOSURE = 1006  # the code of a connection that ended without a close frame (RFC 6455, 7.1.5)


class ConnectOutcome(Enum):
    """What follows the end of a connection or a failed attempt."""

    RETRY = auto()  # reconnect after a delay
    RECONNECT = auto()  # reconnect at once: the load test itself cut the connection
    STOP = auto()  # do not reconnect


class TokenHolder(Protocol):
    """The user of a socket."""

    token: str

    async def renew(self) -> None:
        """Get a newer token, if possible."""
        ...


class Events(Protocol):
    """Callbacks of a socket; `number` identifies the socket."""

    def connected(self, number: int, result: Connected, seconds: float, *, again: bool) -> None:
        """Handle an accepted connect; `seconds` since it began or, if `again`, since the connection was lost."""
        ...

    def received(self, number: int, publication: ReceivedPublication, order: Order, now: float) -> None:
        """Handle a live or recovered publication; `now` is on the clock of `time.monotonic`."""
        ...

    def disconnected(self, number: int, code: int, *, cut: bool) -> None:
        """Handle the end of an accepted connection; `cut` if the load test caused it."""
        ...

    def failed(self, number: int, sentence: str) -> None:
        """Handle a failed attempt to connect."""
        ...

    def given_up(self, number: int) -> None:
        """Handle the end of a socket that will not reconnect."""
        ...


class LoadSocket(WSListener):
    """One live connection of a user, kept open by `run` until `end`."""

    def __init__(self, number: int, user: TokenHolder, dialer: Dialer, reader: FrameParser, events: Events) -> None:
        self.number = number
        self._user = user
        self._dialer = dialer
        self._reader = reader
        self._events = events
        self._core = ClientCore()
        self._transport: WSTransport | None = None
        self._up = False
        self._been_up = False
        self._since = 0.0
        self._deadline = 0.0  # of the connect reply, then of the next ping; 0: none
        self._ping_timeout = 0.0
        self._code = 0
        self._cut = False
        self._over = False
        self._failure_reported = False
        self._partial = b""

    async def run(self) -> None:
        """Stay connected, and reconnect after every interruption, until the outcome is STOP or `end` is called."""
        attempt = 0
        self._since = time.monotonic()
        while not self._over:
            outcome, was_up = await self._connect_once()
            if outcome is ConnectOutcome.STOP or self._over:
                break
            attempt = 0 if was_up else attempt + 1
            if outcome is ConnectOutcome.RETRY:
                # Full jitter: sockets that lost the connection together do not reconnect together.
                await asyncio.sleep(random.uniform(0, min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(attempt, 10))))
        self._events.given_up(self.number)

    def cut(self) -> bool:
        """Abort the connection without a close frame, as a dead network does; return whether it was connected."""
        if self._transport is None or not self._up or self._cut:
            return False
        self._cut = True
        self._transport.disconnect(graceful=False)
        return True

    def end(self) -> None:
        """Close the connection with a close frame, and do not reconnect."""
        self._over = True
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK, b"bye")
            self._transport.disconnect()

    def refresh(self) -> None:
        """Send the user's newer token to the server."""
        if self._transport is not None and self._up:
            self._transport.send(WSMsgType.TEXT, self._core.refresh(self._user.token))

    def check_timeout(self, now: float) -> None:
        """Abort a connection whose connect reply, or whose next ping, is overdue."""
        if self._transport is not None and self._deadline and now > self._deadline:
            self._deadline = 0.0
            if not self._up:
                self._report_failure(f"no reply to connect within {CONNECT_TIMEOUT:.0f} s")
            self._transport.disconnect(graceful=False)

    async def _connect_once(self) -> tuple[ConnectOutcome, bool]:
        self._code, self._cut, self._up, self._partial = 0, False, False, b""
        self._failure_reported = False
        try:
            self._transport = await self._dialer.open(self, self.number)
            await self._transport.wait_disconnected()
        except (OSError, TimeoutError, WSError) as error:
            if not self._up:
                self._report_failure(_reason(error))
        finally:
            self._transport = None
        if not self._up and not self._over:
            self._report_failure("the connection ended before it was accepted")
        was_up, self._up, self._deadline = self._up, False, 0.0
        return await self._outcome(was_up=was_up), was_up

    async def _outcome(self, *, was_up: bool) -> ConnectOutcome:
        code = self._code or _ABNORMAL_CLOSURE
        if was_up:
            self._since = time.monotonic()
            if not self._over:
                self._events.disconnected(self.number, code, cut=self._cut)
        if code == TOKEN_EXPIRED:
            await self._user.renew()
            return ConnectOutcome.RETRY
        if self._cut:
            return ConnectOutcome.RECONNECT
        # Codes below 3000 are those of the WebSocket protocol itself, after which clients reconnect.
        return ConnectOutcome.RETRY if code in RECONNECTS or code < 3000 else ConnectOutcome.STOP

    def _report_failure(self, sentence: str) -> None:
        """Report why this attempt failed; only the first reason of an attempt counts."""
        if not self._failure_reported:
            self._failure_reported = True
            self._events.failed(self.number, sentence)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send the connect command."""
        self._transport = transport
        self._deadline = time.monotonic() + CONNECT_TIMEOUT
        transport.send(WSMsgType.TEXT, self._core.connect(self._user.token))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Process a frame from the server."""
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
        except MalformedFrameError as error:
            self._report_failure(str(error))
            transport.disconnect(graceful=False)
            return
        for message in messages:
            if type(message) is ReceivedPublication:
                self._events.received(self.number, message, self._core.take(message), now)
            elif type(message) is Ping:
                self._ping_received(transport, now)
            elif type(message) is CommandReply:
                self._reply_received(message, transport, now)

    def _ping_received(self, transport: WSTransport, now: float) -> None:
        self._deadline = now + self._ping_timeout
        pong = self._core.ping()
        if pong is not None:
            transport.send(WSMsgType.TEXT, pong)

    def _reply_received(self, reply: CommandReply, transport: WSTransport, now: float) -> None:
        match self._core.reply(reply):
            case Connected() as result:
                self._ping_timeout = result.ping + PING_TOLERANCE
                self._deadline = now + self._ping_timeout if result.ping else 0.0
                again, self._been_up, self._up = self._been_up, True, True
                self._events.connected(self.number, result, now - self._since, again=again)
                for publication, order in result.missed:
                    self._events.received(self.number, publication, order, now)
            case Refused(connect=True) as refusal:
                self._code = refusal.code
                self._report_failure(f"connect failed with error {refusal.code} ({refusal.message})")
                transport.disconnect(graceful=False)
            case _:
                pass

    def _closed(self, transport: WSTransport, payload: bytes) -> None:
        self._code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
        if not self._up:
            reason = payload[2:].decode(errors="replace")
            self._report_failure(f"closed with {self._code} ({reason}) before it was connected")
        transport.send_close(WSCloseCode.OK)
        transport.disconnect()


def _reason(error: Exception) -> str:
    if isinstance(error, WSInvalidStatusError) and error.response is not None:
        return f"the server responded with {int(error.response.status)} instead of opening a WebSocket"
    return reason_of(error)
