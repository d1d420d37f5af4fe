"""The port of codecs: bytes of a frame in, commands out; messages in, bytes out.

Guarantees of every codec: `decode` accepts any bytes and either returns at least one command or
raises `BadFrameError`; it keeps order and ignores unknown fields. `encode` is pure, so that a push
is encoded once per codec and written to many connections; what is no part of the protocol is a
`TypeError` or `ValueError`, a defect of ours.

A command is the same whatever codec read it. Its parameters have the names of the JSON form, and a
document in them (`data` of connect, subscribe, publish, rpc and send) is the value that its JSON stands
for. Protobuf carries documents as bytes: when these are not JSON the frame is bad, as one that is not
JSON is. A parameter that is left out means the same as its default (0, "", false, an empty map), which
Protobuf does not carry. Of documents in a `Message`, likewise, each is a `RawJson`: it is embedded as
the codec's own structures (JSON, MessagePack) or as bytes (Protobuf).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from channels.contract.errors import ChannelsError
from channels.protocol.messages import METHODS, Command, Message

MAX_COMMAND_ID = (1 << 32) - 1
MAX_COMMANDS = 500  # in one frame; reading many thousand tiny ones would keep everybody else waiting


class BadFrameError(ChannelsError):
    """Say that a frame is empty or is not what the codec reads; the connection closes with 3501."""


class Codec(Protocol):
    """Translate between frames and messages."""

    @property
    def name(self) -> str:
        """Return the WebSocket subprotocol that selects this codec."""
        ...

    @property
    def binary(self) -> bool:
        """Tell whether frames are binary rather than text."""
        ...

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one frame, at least one, in order; raise `BadFrameError`."""
        ...

    def encode(self, message: Message) -> bytes:
        """Return one message as the payload of a frame of its own."""
        ...


def command_of(value: object) -> Command:
    """Return the command that a decoded map stands for; raise `BadFrameError` for anything else.

    A map without id and method is the client's pong. Of several methods the first counts.
    """
    if not isinstance(value, Mapping):
        raise BadFrameError("a command is a map")
    command_id = value.get("id", 0)
    if type(command_id) is not int or not 0 <= command_id <= MAX_COMMAND_ID:
        raise BadFrameError("a command's id is a positive 32-bit integer")
    method: str | None = next((name for name in value if isinstance(name, str) and name in METHODS), None)
    params: Any = value.get(method) if method else {}
    if params is None:
        params = {}
    if not isinstance(params, Mapping):
        raise BadFrameError(f"the parameters of {method} are a map")
    return Command(command_id, method, params, blank=not value)
