"""The protocol graphql-transport-ws: messages of clients as commands, and the state machine of a connection.

The protocol is described at https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. Its messages become
commands and effects like those of the other codecs, so that the same handlers execute them. A client may send ping and
pong at any time. The close codes of the protocol take the place of those that mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from channels.protocol import codes
from channels.protocol.codec import BadFrameError
from channels.protocol.codes import Disconnect
from channels.protocol.core import ProtocolCore, Stage
from channels.protocol.effects import Close, Connect, Effect, EndOperation, NoOp, Reply, StartOperation
from channels.protocol.messages import Command, Message

SUBPROTOCOL = "graphql-transport-ws"

BAD_REQUEST = Disconnect(4400, "bad request: send the messages of graphql-transport-ws")
UNAUTHORIZED = Disconnect(4401, "unauthorized: send connection_init first")
FORBIDDEN = Disconnect(4403, "forbidden: the token is missing, not valid, or of a session that has ended")
INIT_TIMEOUT = Disconnect(4408, "connection initialisation timeout")
SUBSCRIBER_EXISTS = Disconnect(4409, "subscriber already exists: choose another id")
TOO_MANY_INITS = Disconnect(4429, "too many initialisation requests")

_CLOSE_CODES = {
    codes.BAD_REQUEST: BAD_REQUEST,
    codes.TOO_BIG: Disconnect(4400, "bad request: message too big"),
    codes.INVALID_TOKEN: FORBIDDEN,
    codes.FORCED: FORBIDDEN,
    codes.STALE: INIT_TIMEOUT,
}

_MAX_ID = 128
_CONNECT_ID = 1
# The check of a document takes as long as many other commands. With the default limits of commands a client can start
# 50 subscriptions at once, and about 4 a second.
_SUBSCRIBE_WEIGHT = 8
_TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")


def close_code(disconnect: Disconnect) -> Disconnect:
    """Return the protocol's own code for the end of a connection, or the given one where there is none."""
    return _CLOSE_CODES.get(disconnect, disconnect)


def decode(data: bytes | str) -> list[Command]:
    """Return the command of one text frame; raise `BadFrameError`."""
    if not isinstance(data, str):
        raise BadFrameError("the protocol requires text frames")
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadFrameError("not JSON") from error
    if not isinstance(message, dict) or message.get("type") not in _TYPES:
        raise BadFrameError("a message is an object with a type of the protocol")
    kind = message["type"]
    if kind in {"subscribe", "complete"}:
        _check_operation(message, kind)
    elif not isinstance(message.get("payload") or {}, dict):
        raise BadFrameError("a payload is an object")
    return [Command(_CONNECT_ID, kind, message)]


def start_commands(request: Mapping[str, Any]) -> list[Command]:
    """Return the commands on behalf of a client that was authenticated by its HTTP request, which is one operation."""
    init = Command(_CONNECT_ID, "connection_init", {})
    return [init, Command(_CONNECT_ID, "subscribe", {"id": "1", "payload": request})]


class GraphqlCore(ProtocolCore):
    """State machine of one connection of GraphQL; `operations` are the ids of those that run."""

    __slots__ = ("operations",)

    def __init__(self, *, rate: float, burst: int, now: float) -> None:
        super().__init__(rate=rate, burst=burst, now=now)
        self.operations: set[str] = set()

    def receive(self, command: Command, now: float) -> Effect:
        """Return the effect of the next command."""
        weight = _SUBSCRIBE_WEIGHT if command.method == "subscribe" else 1
        for _ in range(weight):
            over = self.count(now)
            if over is not None:
                return over
        effect: Effect
        match command.method:
            case "ping":
                effect = Reply(_pong(command.params))
            case "pong":
                effect = self._pong()
            case "connection_init":
                effect = self._init(command.params)
            case _ if not self.connected:
                effect = Close(UNAUTHORIZED)
            case method:
                effect = self._operation(method, command.params)
        return effect

    def _operation(self, method: str | None, params: Mapping[str, Any]) -> Effect:
        operation_id: str = params["id"]
        if method == "complete":
            self.operations.discard(operation_id)
            return EndOperation(operation_id)
        if operation_id in self.operations:
            return Close(SUBSCRIBER_EXISTS)
        self.operations.add(operation_id)
        return StartOperation(operation_id, params["payload"])

    def _init(self, params: Mapping[str, Any]) -> Effect:
        if self._stage is not Stage.NEW:
            return Close(TOO_MANY_INITS)
        self._stage = Stage.CONNECTING
        return Connect(_CONNECT_ID, _token(params.get("payload") or {}), {})

    def _pong(self) -> Effect:
        if self._pong_due and self._superseded:
            return Close(codes.CONNECTION_LIMIT)
        self._pong_due = False
        return NoOp()


def _check_operation(message: Mapping[str, Any], kind: str) -> None:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not 0 < len(operation_id) <= _MAX_ID:
        raise BadFrameError(f"the id of an operation is a string of 1 to {_MAX_ID} characters")
    if kind == "subscribe" and not isinstance(message.get("payload"), dict):
        raise BadFrameError("the payload of subscribe is an object with a query")


def _token(payload: Mapping[str, Any]) -> str:
    """Return the token of connection_init: `token`, or the value of `Authorization` as in an HTTP request."""
    for name, value in payload.items():
        if isinstance(value, str):
            if name == "token":
                return value
            if name.lower() == "authorization":
                scheme, _, token = value.partition(" ")
                return token.strip() if scheme.lower() == "bearer" else value
    return ""


def _pong(params: Mapping[str, Any]) -> Message:
    payload = params.get("payload")
    return {"type": "pong"} if payload is None else {"type": "pong", "payload": payload}
