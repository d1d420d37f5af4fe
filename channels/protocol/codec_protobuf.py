"""Protobuf: a binary frame of messages, each prefixed with its length as a varint; the schema is `live.proto`.

The SDKs for phones support only this codec. Documents are JSON in fields of bytes, so that a client receives the same
document with every codec.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Fields

from channels.protocol import live_pb2
from channels.protocol.codec import MAX_COMMANDS, BadFrameError
from channels.protocol.messages import Command, Message, RawJson

_LENGTH_BYTES = 5  # the longest varint of a 32-bit length
_PONG = Command(0, None, {}, blank=True)


class ProtobufCodec:
    """The protocol as Protobuf."""

    name = "centrifuge-protobuf"
    binary = True
    pong = b"\x00"

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one binary frame; raise `BadFrameError`."""
        if not isinstance(data, bytes | bytearray) or not data:
            raise BadFrameError("Protobuf requires binary frames that are not empty")
        commands: list[Command] = []
        start = 0
        while start < len(data):
            if len(commands) == MAX_COMMANDS:
                raise BadFrameError(f"more than {MAX_COMMANDS} commands")
            start, end = _bounds(data, start)
            commands.append(_command(bytes(data[start:end])) if end > start else _PONG)
            start = end
        return commands

    def encode(self, message: Message) -> bytes:
        """Return one message, prefixed with its length."""
        encoded = live_pb2.Reply(**_fields(message)).SerializeToString()
        return _varint(len(encoded)) + encoded


def _command(data: bytes) -> Command:
    try:
        fields: dict[str, Any] = _plain(live_pb2.Command.FromString(data))
    except DecodeError as error:
        raise BadFrameError("not Protobuf") from error
    except orjson.JSONDecodeError as error:
        raise BadFrameError("a document is not JSON") from error
    command_id = fields.pop("id", 0)
    method = next(iter(fields), None)
    return Command(command_id, method, fields[method] if method else {})


def _plain(value: Any) -> Any:
    """Return a field's value as the JSON form has it; unset fields are left out."""
    match value:
        case bytes():
            return orjson.loads(value)
        case Fields():
            return {field.name: _plain(item) for field, item in value.ListFields()}
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value


def _fields(value: Any) -> Any:
    """Return a part of a message as Protobuf's constructors accept it."""
    match value:
        case RawJson():
            return value.data
        case dict():
            return {key: _fields(item) for key, item in value.items()}
        case list():
            return [_fields(item) for item in value]
        case _:
            return value


def _bounds(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Return the start and end of the message whose length prefix is at `start`."""
    length = 0
    for position in range(start, min(start + _LENGTH_BYTES, len(data))):
        byte = data[position]
        length |= (byte & 0x7F) << 7 * (position - start)
        if byte < 0x80:
            begin, end = position + 1, position + 1 + length
            if end > len(data):
                raise BadFrameError("a message is longer than its frame")
            return begin, end
    raise BadFrameError("a length is truncated or exceeds 32 bits")


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
