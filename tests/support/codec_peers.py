"""The client's end of each codec, built on other libraries: encoding of commands, decoding of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgpack
import orjson
from centrifuge.codecs import _varint_decode, _varint_encode
from centrifuge.protocol import client_pb2

from channels.protocol.codec import Codec
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_msgpack import MsgpackCodec
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.protocol.messages import RawJson


class Peer(Protocol):
    """A client of one codec. Commands contain `RawJson` for documents, messages their value."""

    codec: Codec

    def write(self, *commands: Mapping[str, Any]) -> bytes | str:
        """Return the frame of these commands."""
        ...

    def read(self, payload: bytes) -> list[Any]:
        """Return the messages of a frame."""
        ...


class JsonPeer:
    codec: Codec = JsonCodec()

    def write(self, *commands: Mapping[str, Any]) -> str:
        """Return a line per command."""
        return "\n".join(orjson.dumps(_values(command)).decode() for command in commands)

    def read(self, payload: bytes) -> list[Any]:
        """Decode each line."""
        return [orjson.loads(line) for line in payload.split(b"\n")]


class MsgpackPeer:
    codec: Codec = MsgpackCodec()

    def write(self, *commands: Mapping[str, Any]) -> bytes:
        """Return a map per command."""
        return b"".join(msgpack.packb(_values(command)) for command in commands)

    def read(self, payload: bytes) -> list[Any]:
        """Decode each map."""
        unpacker = msgpack.Unpacker()
        unpacker.feed(payload)
        return list(unpacker)


class ProtobufPeer:
    """Uses the classes of the published Python client."""

    codec: Codec = ProtobufCodec()

    def write(self, *commands: Mapping[str, Any]) -> bytes:
        """Return the commands, each prefixed with its length."""
        encoded = [client_pb2.Command(**_bytes(command)).SerializeToString() for command in commands]
        return b"".join(_varint_encode(len(one)) + one for one in encoded)

    def read(self, payload: bytes) -> list[Any]:
        """Decode each message; fields with their default value are left out."""
        messages, start = [], 0
        while start < len(payload):
            length, start = _varint_decode(payload, start)
            messages.append(_shown(client_pb2.Reply.FromString(payload[start : start + length])))
            start += length
        return messages


PEERS: tuple[Peer, ...] = (JsonPeer(), MsgpackPeer(), ProtobufPeer())


def _values(part: Any) -> Any:
    if isinstance(part, RawJson):
        return orjson.loads(part.data)
    return {key: _values(item) for key, item in part.items()} if isinstance(part, Mapping) else part


def _bytes(part: Any) -> Any:
    if isinstance(part, RawJson):
        return part.data
    return {key: _bytes(item) for key, item in part.items()} if isinstance(part, Mapping) else part


def _shown(part: Any) -> Any:
    if isinstance(part, bytes):
        return orjson.loads(part)
    if hasattr(part, "ListFields"):
        return {field.name: _shown(item) for field, item in part.ListFields()}
    if isinstance(part, Mapping):
        return {key: _shown(item) for key, item in part.items()}
    return part if isinstance(part, str | int) else [_shown(item) for item in part]
