"""Port of codecs: decode a frame to commands, encode a message to bytes.

Guarantees of every codec:

- `decode` accepts any bytes, and returns at least one command or raises `BadFrameError`. It keeps the order and ignores
  unknown fields.
- `encode` is pure, so that a push can be encoded once per codec and written to many connections. A message that is not
  part of the protocol is a defect and raises `TypeError` or `ValueError`.
- A command does not depend on the codec. Its parameters have the names of the JSON form, and a document among them
  (`data` of connect, subscribe, publish, rpc and send) is the decoded JSON value. Protobuf carries documents as bytes;
  if these are not JSON, the frame is bad.
- A missing parameter means its default (0, "", false, an empty map), since Protobuf does not transmit defaults.
- A document in a `Message` is a `RawJson`. It is embedded as the codec's own structures (JSON, MessagePack) or as bytes
  (Protobuf).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from channels.contract.errors import ChannelsError
from channels.protocol.messages import METHODS, Command, Message

MAX_COMMAND_ID = (1 << 32) - 1
MAX_COMMANDS = 500  # per frame; decoding many thousands would block the event loop


class BadFrameError(ChannelsError):
    """An empty frame, or one that the codec cannot decode; the connection closes with 3501."""


class Codec(Protocol):
    """Decoding of frames and encoding of messages."""

    @property
    def name(self) -> str:
        """Return the WebSocket subprotocol that selects this codec."""
        ...

    @property
    def binary(self) -> bool:
        """Return whether frames are binary rather than text."""
        ...

    @property
    def pong(self) -> bytes:
        """Return a frame that is a pong and nothing else, in its shortest form."""
        ...

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one frame, at least one, in order; raise `BadFrameError`."""
        ...

    def encode(self, message: Message) -> bytes:
        """Return one message as the payload of a frame of its own."""
        ...


def parse_command(value: object) -> Command:
    """Return the command of a decoded map; raise `BadFrameError` for anything else.

    A map without id and method is the client's pong. Of several methods the first one counts.
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
