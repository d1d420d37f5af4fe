"""The connection core of the live protocol: commands in, effects out; no await, no clock, no socket.

One `ProtocolCore` judges the commands of one connection in their order. It says what is to be done
as an effect; the shell does it and tells the core what came of a connect. The rules:

- connect comes first and once; id 0 is for pongs and `send` alone; everything else closes with 3501;
- after a connect that was refused, the rest of its frame is ignored, without 3501, since clients
  send connect and subscribes in one frame;
- a pong that nobody asked for closes with 3501, too many commands close with 3013.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from channels.ports import Position
from channels.protocol import codes
from channels.protocol.codes import Disconnect, ErrorCode
from channels.protocol.messages import Command, Message, error_reply, reply

MAX_CHANNEL_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Connect:
    """Authenticate, and read the streams since the positions given."""

    id: int
    token: str = field(repr=False)
    since: Mapping[str, Position]


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask whether this person may hear a channel, and subscribe."""

    id: int
    channel: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """End a subscription."""

    id: int
    channel: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """Authenticate anew, with a token that ends later."""

    id: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Send a message that is ready."""

    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; what follows in the frame is not judged any more."""

    disconnect: Disconnect


@dataclass(frozen=True, slots=True)
class Nothing:
    """Go on to the next command."""


Effect = Connect | Subscribe | Unsubscribe | Refresh | Answer | Close | Nothing

_NOT_OFFERED = {
    "publish": ErrorCode.PERMISSION_DENIED,
    "rpc": ErrorCode.METHOD_NOT_FOUND,
    "history": ErrorCode.NOT_AVAILABLE,
    "presence": ErrorCode.NOT_AVAILABLE,
    "presence_stats": ErrorCode.NOT_AVAILABLE,
    "sub_refresh": ErrorCode.NOT_AVAILABLE,
}


class _Stage(Enum):
    NEW = auto()
    CONNECTING = auto()
    REFUSED = auto()
    CONNECTED = auto()


class _Refusal(Exception):  # noqa: N818 - a way out of validation, never leaves this module
    """Carry the bad-request answer out of the reading of parameters."""


class ProtocolCore:
    """Judge one connection's commands; `rate` a second for long, `burst` at once, times in seconds."""

    __slots__ = ("_allowance", "_burst", "_counted_at", "_pong_due", "_rate", "_stage")

    def __init__(self, *, rate: float, burst: int, now: float) -> None:
        self._stage = _Stage.NEW
        self._pong_due = False
        self._rate, self._burst = rate, burst
        self._allowance, self._counted_at = float(burst), now

    @property
    def connected(self) -> bool:
        """Tell whether a connect was accepted."""
        return self._stage is _Stage.CONNECTED

    @property
    def pong_due(self) -> bool:
        """Tell whether a ping has not been answered yet."""
        return self._pong_due

    def begin_frame(self) -> None:
        """Start judging another frame: a connect that was refused may be tried again."""
        if self._stage is _Stage.REFUSED:
            self._stage = _Stage.NEW

    def accepted(self) -> None:
        """Note that the connect under way succeeded."""
        self._stage = _Stage.CONNECTED

    def refused(self) -> None:
        """Note that the connect under way was answered with an error."""
        self._stage = _Stage.REFUSED

    def ping_sent(self) -> None:
        """Note that the client now owes a pong."""
        self._pong_due = True

    def count(self, now: float) -> Close | None:
        """Take one command's share of the rate; return the effect that ends the connection when it is used up."""
        self._allowance = min(self._burst, self._allowance + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._allowance < 1:
            return Close(codes.TOO_MANY_REQUESTS)
        self._allowance -= 1
        return None

    def receive(self, command: Command, now: float) -> Effect:
        """Return what is to be done about the next command."""
        over = self.count(now)
        if over is not None:
            return over
        if self._stage is _Stage.REFUSED:
            return Nothing()
        if command.id == 0:
            return self._without_id(command)
        if self._stage is _Stage.NEW:
            return self._connect(command) if command.method == "connect" else Close(codes.BAD_REQUEST)
        if self._stage is _Stage.CONNECTING or command.method in ("connect", "send"):
            return Close(codes.BAD_REQUEST)
        return _offered(command)

    def _without_id(self, command: Command) -> Effect:
        if command.method == "send" and self.connected:
            return Nothing()
        if command.blank and self._pong_due:
            self._pong_due = False
            return Nothing()
        return Close(codes.BAD_REQUEST)

    def _connect(self, command: Command) -> Effect:
        try:
            effect = Connect(command.id, _text(command.params, "token"), _positions(command.params))
        except _Refusal:
            self._stage = _Stage.REFUSED
            return Answer(error_reply(command.id, ErrorCode.BAD_REQUEST))
        self._stage = _Stage.CONNECTING
        return effect


def _offered(command: Command) -> Effect:
    try:
        match command.method:
            case "subscribe":
                return Subscribe(command.id, _channel(command.params))
            case "unsubscribe":
                return Unsubscribe(command.id, _channel(command.params))
            case "refresh":
                return Refresh(command.id, _text(command.params, "token"))
            case "ping":
                return Answer(reply(command.id, "ping", {}))
            case method:
                return Answer(error_reply(command.id, _NOT_OFFERED.get(method or "", ErrorCode.METHOD_NOT_FOUND)))
    except _Refusal:
        return Answer(error_reply(command.id, ErrorCode.BAD_REQUEST))


def _text(params: Mapping[str, object], name: str) -> str:
    value = params.get(name, "")
    if not isinstance(value, str):
        raise _Refusal
    return value


def _channel(params: Mapping[str, object]) -> str:
    channel = _text(params, "channel")
    if not 0 < len(channel) <= MAX_CHANNEL_LENGTH:
        raise _Refusal
    return channel


def _positions(params: Mapping[str, object]) -> dict[str, Position]:
    """Return where the client wants its streams recovered from; those without `recover` are left out."""
    wanted = params.get("subs") or {}
    if not isinstance(wanted, Mapping):
        raise _Refusal
    positions: dict[str, Position] = {}
    for name, request in wanted.items():
        if not isinstance(name, str) or not isinstance(request, Mapping):
            raise _Refusal
        if request.get("recover") is not True:
            continue
        offset = request.get("offset", 0)
        if type(offset) is not int or offset < 0:
            raise _Refusal
        positions[name] = Position(epoch=_text(request, "epoch"), offset=offset)
    return positions
