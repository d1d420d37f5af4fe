"""Protobuf: a binary frame of messages, each behind its length as a varint; the schema is `live.proto`.

Phones' SDKs speak this form alone. Documents travel as JSON in fields of bytes, so that a client gets
the same document in every form.
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

_LENGTH_BYTES = 5  # of the varint of a 32-bit length
_PONG = Command(0, None, {}, blank=True)


class ProtobufCodec:
    """Speak the protocol as Protobuf."""

    name = "centrifuge-protobuf"
    binary = True

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one binary frame; raise `BadFrameError`."""
        if not isinstance(data, bytes | bytearray) or not data:
            raise BadFrameError("Protobuf travels in binary frames that are not empty")
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
        """Return one message behind its length."""
        encoded = live_pb2.Reply(**_fields(message)).SerializeToString()
        return _varint(len(encoded)) + encoded


def _command(data: bytes) -> Command:
    try:
        fields: dict[str, Any] = _plain(live_pb2.Command.FromString(data))
    except DecodeError as error:
        raise BadFrameError("not Protobuf") from error
    except orjson.JSONDecodeError as error:
        raise BadFrameError("a field of bytes that is not JSON") from error
    command_id = fields.pop("id", 0)
    method = next(iter(fields), None)
    return Command(command_id, method, fields[method] if method else {})


def _plain(value: Any) -> Any:
    """Return what a field holds as the JSON form would give it; unset fields are left out."""
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
    """Return a part of a message as Protobuf's constructors take it."""
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
    """Return where the message begins and ends whose length stands at `start`."""
    length = 0
    for position in range(start, min(start + _LENGTH_BYTES, len(data))):
        byte = data[position]
        length |= (byte & 0x7F) << 7 * (position - start)
        if byte < 0x80:
            begin, end = position + 1, position + 1 + length
            if end > len(data):
                raise BadFrameError("a message that is longer than its frame")
            return begin, end
    raise BadFrameError("a length that is cut short or beyond 32 bits")


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
