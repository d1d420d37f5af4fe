"""The protocol of one connection as a state machine: commands in, effects out; no await, clock or socket.

A `ProtocolCore` checks the commands of one connection in order and returns an effect for each. The caller executes the
effects and reports the outcome of a connect. The rules:

- connect comes first and only once; id 0 is reserved for pongs and `send`; anything else closes with 3501;
- after a rejected connect the rest of its frame is ignored, without 3501, since clients send connect and subscribes in
  one frame;
- an unexpected pong closes with 3501, too many commands close with 3013.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from channels.contract.ports import Position
from channels.protocol import codes
from channels.protocol.codes import ErrorCode
from channels.protocol.effects import (
    CallMethod,
    Close,
    Connect,
    Effect,
    NoOp,
    ReadHistory,
    ReadPresence,
    Refresh,
    Reply,
    Subscribe,
    Unsubscribe,
)
from channels.protocol.messages import Command, error_reply, reply

MAX_CHANNEL_LENGTH = 255
MAX_METHOD_LENGTH = 255
MAX_HISTORY = 100  # publications per reply; a client continues from the position of the last one

_NOT_OFFERED = {
    "publish": ErrorCode.PERMISSION_DENIED,
    "sub_refresh": ErrorCode.NOT_AVAILABLE,
}


class Stage(Enum):
    """Stages of a connection, up to the accepted connect."""

    NEW = auto()
    CONNECTING = auto()
    REFUSED = auto()
    CONNECTED = auto()


class _Refusal(Exception):  # noqa: N818 - control flow of validation, never leaves this module
    """Ends the parsing of parameters with a bad-request reply."""


class ProtocolCore:
    """State machine of one connection.

    A token bucket limits the commands: `rate` a second sustained, `burst` at once. Times are in seconds.
    """

    __slots__ = ("_allowance", "_burst", "_counted_at", "_pong_due", "_rate", "_stage", "_superseded")

    def __init__(self, *, rate: float, burst: int, now: float) -> None:
        self._stage = Stage.NEW
        self._pong_due = False
        self._superseded = False
        self._rate, self._burst = rate, burst
        self._allowance, self._counted_at = float(burst), now

    @property
    def connected(self) -> bool:
        """Return whether a connect was accepted."""
        return self._stage is Stage.CONNECTED

    @property
    def pong_due(self) -> bool:
        """Return whether a ping has not been answered yet."""
        return self._pong_due

    @property
    def superseded(self) -> bool:
        """Return whether the connection ends with its next pong."""
        return self._superseded

    def begin_frame(self) -> None:
        """Begin the next frame: after a rejected connect the client may try again."""
        if self._stage is Stage.REFUSED:
            self._stage = Stage.NEW

    def accepted(self) -> None:
        """Record that the connect in progress succeeded."""
        self._stage = Stage.CONNECTED

    def refused(self) -> None:
        """Record that the connect in progress was answered with an error."""
        self._stage = Stage.REFUSED

    def ping_sent(self) -> None:
        """Record that a ping was sent, so that a pong is expected."""
        self._pong_due = True

    def pong(self) -> bool:
        """Handle a pong that is due and has no effect; return False for any other, which `receive` has to handle.

        It is not counted against the rate: there is one for each ping of the server.
        """
        if not self._pong_due or self._superseded or self._stage is not Stage.CONNECTED:
            return False
        self._pong_due = False
        return True

    def supersede(self) -> None:
        """End the connection with its next pong, which proves that the client is alive and one too many."""
        self._superseded = True

    def count(self, now: float) -> Close | None:
        """Count one command against the rate; return the effect that closes the connection if the rate is exceeded."""
        self._allowance = min(self._burst, self._allowance + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._allowance < 1:
            return Close(codes.TOO_MANY_REQUESTS)
        self._allowance -= 1
        return None

    def receive(self, command: Command, now: float) -> Effect:
        """Return the effect of the next command."""
        # Counted first of all: commands that are ignored or rejected cost as much as others.
        over = self.count(now)
        if over is not None:
            return over
        if self._stage is Stage.REFUSED:
            return NoOp()
        if command.id == 0:
            return self._without_id(command)
        if self._stage is Stage.NEW:
            return self._connect(command) if command.method == "connect" else Close(codes.BAD_REQUEST)
        if self._stage is Stage.CONNECTING or command.method in ("connect", "send"):
            return Close(codes.BAD_REQUEST)
        return _offered(command)

    def _without_id(self, command: Command) -> Effect:
        # `send` has no reply and needs no id. This service ignores it, but must not close clients that use it.
        if command.method == "send" and self.connected:
            return NoOp()
        if command.blank and self._pong_due:
            self._pong_due = False
            return Close(codes.CONNECTION_LIMIT) if self._superseded else NoOp()
        return Close(codes.BAD_REQUEST)

    def _connect(self, command: Command) -> Effect:
        try:
            effect = Connect(command.id, _text(command.params, "token"), _positions(command.params))
        except _Refusal:
            # Like a connect that the authenticator rejects: the rest of the frame is ignored.
            self._stage = Stage.REFUSED
            return Reply(error_reply(command.id, ErrorCode.BAD_REQUEST))
        self._stage = Stage.CONNECTING
        return effect


def _offered(command: Command) -> Effect:
    try:
        return _read(command)
    except _Refusal:
        return Reply(error_reply(command.id, ErrorCode.BAD_REQUEST))


def _read(command: Command) -> Effect:
    number, params = command.id, command.params
    effect: Effect
    match command.method:
        case "subscribe":
            effect = Subscribe(number, _channel(params))
        case "unsubscribe":
            effect = Unsubscribe(number, _channel(params))
        case "refresh":
            effect = Refresh(number, _text(params, "token"))
        case "history":
            effect = _history(number, params)
        case "presence" | "presence_stats":
            effect = ReadPresence(number, _channel(params), command.method == "presence_stats")
        case "rpc":
            effect = CallMethod(number, _name(params, "method", MAX_METHOD_LENGTH), params.get("data"))
        case "ping":
            effect = Reply(reply(number, "ping", {}))
        case method:
            effect = Reply(error_reply(number, _NOT_OFFERED.get(method or "", ErrorCode.METHOD_NOT_FOUND)))
    return effect


def _text(params: Mapping[str, object], name: str) -> str:
    value = params.get(name, "")
    if not isinstance(value, str):
        raise _Refusal
    return value


def _name(params: Mapping[str, object], key: str, longest: int) -> str:
    value = _text(params, key)
    if not 0 < len(value) <= longest:
        raise _Refusal
    return value


def _channel(params: Mapping[str, object]) -> str:
    return _name(params, "channel", MAX_CHANNEL_LENGTH)


def _history(number: int, params: Mapping[str, object]) -> ReadHistory:
    limit, since = params.get("limit", 0), params.get("since")
    # By type and not by isinstance, here and below: in Python a bool is an int.
    if type(limit) is not int or not isinstance(since, Mapping | None):
        raise _Refusal
    return ReadHistory(
        number,
        _channel(params),
        # The SDKs use a negative limit for "all".
        MAX_HISTORY if limit < 0 else min(limit, MAX_HISTORY),
        None if since is None else _position(since),
        params.get("reverse") is True,
    )


def _positions(params: Mapping[str, object]) -> dict[str, Position]:
    """Return the positions from which streams are to be recovered; streams without `recover` are left out."""
    subs = params.get("subs") or {}
    if not isinstance(subs, Mapping):
        raise _Refusal
    positions: dict[str, Position] = {}
    for name, request in subs.items():
        if not isinstance(name, str) or not isinstance(request, Mapping):
            raise _Refusal
        if request.get("recover") is not True:
            continue
        positions[name] = _position(request)
    return positions


def _position(value: Mapping[str, object]) -> Position:
    offset = value.get("offset", 0)
    if type(offset) is not int or offset < 0:
        raise _Refusal
    return Position(epoch=_text(value, "epoch"), offset=offset)
