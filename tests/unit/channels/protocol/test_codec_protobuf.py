"""The Protobuf codec: what it rejects, its bytes, and its schema compared with the published one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from centrifuge.protocol import client_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from channels.protocol import live_pb2
from channels.protocol.codec import BadFrameError
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.protocol.messages import METHODS, Command, RawJson, reply
from tests.support.codec_peers import ProtobufPeer

CODEC, PEER = ProtobufCodec(), ProtobufPeer()
PING = b"\x04\x08\x01\x5a\x00"  # {"id": 1, "ping": {}}
PROTO = Path(live_pb2.__file__).with_name("live.proto")


@pytest.mark.parametrize(
    ("fault", "data"),
    [
        ("a length beyond the frame", b"\x05\x08\x01\x5a\x00"),
        ("a length of four gigabytes", b"\xff\xff\xff\xff\x0f" + PING),
        ("a length beyond 32 bits", b"\x84\x80\x80\x80\x80\x00" + PING[1:]),
        ("a length without an end", b"\x80"),
        ("garbage behind the last message", PING + b"\x03\xff\xff\xff"),
        ("a piece of a message behind the last one", PING + PING[:3]),
        ("a field cut short within its message", b"\x03\x08\x01\x5a"),
        ("a message within, longer than what it is in", b"\x04\x08\x01\x5a\x07"),
        ("a group that never ends", b"\x01\x0b"),
        ("a field number of 0", b"\x02\x00\x01"),
        ("text that is not UTF-8", b"\x07\x08\x01\x2a\x03\x0a\x01\xff"),
        ("a hundred messages, one within the other", b"\x7e" + b"\x0b" * 126),
    ],
)
def test_rejections(fault: str, data: bytes) -> None:
    """A truncated frame, a wrong length or bytes that are not Protobuf are a bad frame, after any valid command."""
    with pytest.raises(BadFrameError):
        CODEC.decode(data)


@pytest.mark.parametrize("document", [b"{", b"photo", b"\xff", b"NaN", b"[" * 5000, b"{} {}"])
def test_documents_are_json(document: bytes) -> None:
    """Document bytes that are not JSON are a bad frame, as with the JSON codec."""
    for method in ("rpc", "send", "connect"):
        with pytest.raises(BadFrameError):
            CODEC.decode(PEER.write({"id": 1, method: {"data": RawJson(document)}}))


def test_lengths_of_more_than_a_byte() -> None:
    """Messages of any length can be concatenated, in both directions."""
    sizes = [1, 100, 127, 128, 16_383, 16_384, 60_000]
    frame = PEER.write(*({"id": size, "rpc": {"method": "m" * size}} for size in sizes))
    assert [len(command.params["method"]) for command in CODEC.decode(frame)] == sizes
    documents = [b'"%s"' % (b"x" * size) for size in sizes]
    payload = b"".join(CODEC.encode(reply(1, "rpc", {"data": RawJson(document)})) for document in documents)
    assert [len(message["rpc"]["data"]) for message in PEER.read(payload)] == sizes


def test_a_length_may_be_padded() -> None:
    """A varint with redundant zeros is valid, as for every reader of Protobuf."""
    assert CODEC.decode(b"\x84\x80\x00" + PING[1:]) == [Command(1, "ping", {})]


def test_bytes() -> None:
    """A ping is one zero byte, an empty result is included, and a document keeps its bytes."""
    assert CODEC.encode({}) == b"\x00"
    assert CODEC.encode(reply(1, "subscribe", {})) == b"\x04\x08\x01\x32\x00"
    raw = b'{"keeps":  "its own  spacing"}'
    assert raw in CODEC.encode({"push": {"channel": "a", "pub": {"data": RawJson(raw)}}})


@pytest.mark.parametrize(
    "message",
    [{"id": -1}, {"error": {"code": "x"}}, {"nonsense": {}}, {"push": {"pub": {"data": {"plain": "value"}}}}],
)
def test_fields_outside_the_schema_are_a_defect(message: dict[str, object]) -> None:
    """A message that Protobuf cannot represent raises an error, and is never sent incomplete."""
    with pytest.raises((TypeError, ValueError)):
        CODEC.encode(message)


def test_methods() -> None:
    """The schema has every method of the protocol and no other."""
    assert {field.name for field in live_pb2.Command.DESCRIPTOR.fields} == {"id", *METHODS}


def test_generated_code_is_current() -> None:
    """The generated classes have the fields of live.proto; `make proto` updates them."""
    written = {
        (message, kind.replace(" ", ""), name, int(number))
        for message, body in re.findall(r"^message (\w+) \{(.*?)\}$", PROTO.read_text(), re.DOTALL | re.MULTILINE)
        for kind, name, number in re.findall(r"^  (\S.*?) (\w+) = (\d+);", body, re.MULTILINE)
    }
    generated = {(message.name, _kind(field), field.name, field.number) for message, field in _fields(live_pb2)}
    assert len(written) > 100
    assert written == generated


def test_names_and_numbers_are_the_protocol_s() -> None:
    """Every field has the number and type of the published Python client."""
    theirs = {(message.name, field.name): (field.number, _kind(field)) for message, field in _fields(client_pb2)}
    for message, field in _fields(live_pb2):
        assert theirs[message.name, field.name] == (field.number, _kind(field))


def _fields(module: object) -> list[tuple[Descriptor, FieldDescriptor]]:
    file: FileDescriptor = module.DESCRIPTOR  # type: ignore[attr-defined]
    return [(message, field) for message in file.message_types_by_name.values() for field in message.fields]


def _kind(field: FieldDescriptor) -> str:
    """Return the type as in a schema."""
    kind = field.message_type
    if kind is None:
        names = {value: name for name, value in vars(FieldDescriptor).items() if name.startswith("TYPE_")}
        return names[field.type].removeprefix("TYPE_").lower()
    if kind.GetOptions().map_entry:
        return f"map<{_kind(kind.fields_by_name['key'])},{_kind(kind.fields_by_name['value'])}>"
    return f"repeated{kind.name}" if field.is_repeated else kind.name
