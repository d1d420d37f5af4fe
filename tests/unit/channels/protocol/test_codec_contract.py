"""Contract suite of codecs (see `channels.protocol.codec.Codec`), run by all three against an independent client."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgpack
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract.ports import Position, Publication
from channels.protocol.codec import MAX_COMMANDS, BadFrameError
from channels.protocol.codes import ErrorCode, Unsubscribed
from channels.protocol.messages import (
    METHODS,
    Command,
    Message,
    RawJson,
    error_reply,
    publication_push,
    reply,
    stream_result,
    unsubscribe_push,
)
from tests.support.codec_peers import PEERS, JsonPeer, MsgpackPeer, Peer, ProtobufPeer

every_codec = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.codec.name)

DOCUMENT: Any = {"type": "photo.new", "photo": {"id": "0000000000001", "likes": 3, "caption": 'quote " and ümlaut'}}
RAW = RawJson(orjson.dumps(DOCUMENT))
OFFSET = (1 << 52) + 1

# Every parameter of the protocol, none with its default value, which Protobuf does not transmit.
names = st.text(min_size=1, max_size=20)
offsets = st.integers(1, (1 << 53) - 1)
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 53), 1 << 53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
).map(lambda value: RawJson(orjson.dumps(value)))
yes = st.just(value=True)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return maps of any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


channel = some(channel=names)
subscribe = some(
    **{"channel": names, "token": names, "recover": yes, "epoch": names, "offset": offsets, "data": documents},
    **{"positioned": yes, "recoverable": yes, "join_leave": yes, "delta": names, "flag": offsets},
)
PARAMS = {
    "connect": some(
        **{"token": names, "data": documents, "name": names, "version": names, "flag": offsets},
        subs=st.dictionaries(names, subscribe, min_size=1, max_size=3),
        headers=st.dictionaries(names, names, min_size=1, max_size=3),
    ),
    "subscribe": subscribe,
    "unsubscribe": channel,
    "publish": some(channel=names, data=documents),
    "presence": channel,
    "presence_stats": channel,
    "history": some(
        channel=names,
        limit=st.integers(-(1 << 31), (1 << 31) - 1).filter(bool),
        since=some(offset=offsets, epoch=names),
        reverse=yes,
    ),
    "ping": some(),
    "send": some(data=documents),
    "rpc": some(method=names, data=documents),
    "refresh": some(token=names),
    "sub_refresh": some(channel=names, token=names),
}
ids = st.integers(1, (1 << 32) - 1)
commands = st.sampled_from(sorted(PARAMS)).flatmap(
    lambda method: st.fixed_dictionaries({"id": ids, method: PARAMS[method]})
)
frames = st.lists(commands | st.just({}) | ids.map(lambda command_id: {"id": command_id}), min_size=1, max_size=5)


def test_every_method_is_covered() -> None:
    """The commands of these tests are exactly those of the protocol."""
    assert set(PARAMS) == METHODS


@given(frames)
def test_commands_do_not_depend_on_the_codec(frame: list[dict[str, Any]]) -> None:
    """A frame gives the same commands in the same order with each codec, documents as plain values."""
    expected = JsonPeer().codec.decode(JsonPeer().write(*frame))
    assert len(expected) == len(frame)
    for peer in (MsgpackPeer(), ProtobufPeer()):
        assert peer.codec.decode(peer.write(*frame)) == expected


@given(frames, st.data())
def test_a_truncated_frame(frame: list[dict[str, Any]], data: st.DataObject) -> None:
    """A truncated frame is rejected, or ends with a complete command; nothing is made up."""
    for peer in PEERS:
        whole = peer.write(*frame)
        cut = whole[: data.draw(st.integers(0, len(whole)))]
        with suppress(BadFrameError):
            read = peer.codec.decode(cut)
            assert read == peer.codec.decode(whole)[: len(read)]


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are decoded or rejected with `BadFrameError`."""
    for peer in PEERS:
        with suppress(BadFrameError):
            assert peer.codec.decode(data if peer.codec.binary else data.decode("utf-8", "replace"))


@every_codec
def test_the_other_kind_of_frame(peer: Peer) -> None:
    """A text frame instead of a binary one is rejected, and vice versa; so is an empty frame."""
    frame = peer.write({"id": 1, "ping": {}})
    wrong = frame.encode() if isinstance(frame, str) else frame.decode("latin-1")
    for data in (wrong, b"", ""):
        with pytest.raises(BadFrameError):
            peer.codec.decode(data)


UNKNOWN = {"id": 1, "dance": {"tempo": 3}, "subscribe": {"channel": "a", "mood": "high"}}


@pytest.mark.parametrize(
    ("peer", "frame"),
    [
        (JsonPeer(), orjson.dumps(UNKNOWN).decode()),
        (MsgpackPeer(), msgpack.packb(UNKNOWN)),
        # id 1; field 100 with two bytes; subscribe of channel "a" and field 101 with two bytes.
        (ProtobufPeer(), b"\x11\x08\x01\xa2\x06\x02\x08\x03\x2a\x08\x0a\x01a\xaa\x06\x02hi"),
    ],
    ids=lambda value: value.codec.name if hasattr(value, "codec") else "",
)
def test_unknown_fields_are_ignored(peer: Peer, frame: bytes | str) -> None:
    """Methods and parameters of a later protocol version are ignored."""
    (command,) = peer.codec.decode(frame)
    assert (command.id, command.method, command.params["channel"]) == (1, "subscribe", "a")


@every_codec
def test_too_many_commands(peer: Peer) -> None:
    """A frame with too many commands is rejected, since decoding it would block the event loop."""
    many = [{"id": number, "ping": {}} for number in range(1, MAX_COMMANDS + 1)]
    assert len(peer.codec.decode(peer.write(*many))) == MAX_COMMANDS
    with pytest.raises(BadFrameError, match="more than"):
        peer.codec.decode(peer.write(*many, {"id": 1, "ping": {}}))


@every_codec
def test_pings_and_pongs(peer: Peer) -> None:
    """An empty message is a ping to the client, and its reply is an empty command."""
    assert peer.read(peer.codec.encode({})) == [{}]
    assert peer.codec.decode(peer.write({})) == [Command(0, None, {}, blank=True)]


MISSED = [Publication(data=RAW.data, offset=OFFSET), Publication(data=b"[1,2]", offset=OFFSET + 1)]
INFO = {"user": "7", "client": "c1", "conn_info": RAW, "chan_info": RawJson(b'"here"')}
MESSAGES: dict[str, Message] = {
    "publication": publication_push("photo:1", Publication(data=RAW.data)),
    "publication of a stream": publication_push("feed", MISSED[0]),
    "publication in full": {
        "push": {"channel": "a", "pub": {"data": RAW, "info": INFO, "tags": {"k": "v"}, "time": 9}}
    },
    "unsubscribe push": unsubscribe_push("photo:1", Unsubscribed.INSUFFICIENT),
    "join": {"push": {"channel": "a", "join": {"info": INFO}}},
    "leave": {"push": {"channel": "a", "leave": {"info": {"user": "7", "client": "c1"}}}},
    "message": {"push": {"message": {"data": RAW}}},
    "subscribe push": {"push": {"channel": "a", "subscribe": {"recoverable": True, "epoch": "e", "offset": 3}}},
    "disconnect push": {"push": {"disconnect": {"code": 3001, "reason": "shutdown", "reconnect": True}}},
    "refresh push": {"push": {"refresh": {"expires": True, "ttl": 60}}},
    "temporary error": error_reply(3, ErrorCode.INTERNAL),
    "final error": error_reply(3, ErrorCode.PERMISSION_DENIED),
    "connect": reply(
        1,
        "connect",
        {
            **{"client": "c1", "version": "picshare", "expires": True, "ttl": 900, "ping": 25, "pong": True},
            **{"session": "s", "node": "n", "time": 1_795_179_695_627, "data": RAW},
            "subs": {
                "feed": stream_result(Position(epoch="e", offset=OFFSET + 1), recovered=True, publications=MISSED),
                "notifications": stream_result(Position(epoch="f", offset=5), recovered=None, publications=()),
            },
        },
    ),
    "subscribe": reply(2, "subscribe", {"expires": True, "ttl": 60, "data": RAW}),
    "empty subscribe": reply(2, "subscribe", {}),
    "unsubscribe": reply(3, "unsubscribe", {}),
    "publish": reply(4, "publish", {}),
    "presence": reply(5, "presence", {"presence": {"c1": INFO, "c2": {"user": "8", "client": "c2"}}}),
    "presence_stats": reply(6, "presence_stats", {"num_clients": 2, "num_users": 1}),
    "history": reply(7, "history", {"publications": [{"data": RAW, "offset": OFFSET}], "offset": OFFSET, "epoch": "e"}),
    "ping": reply(8, "ping", {}),
    "rpc": reply(9, "rpc", {"data": RAW}),
    "refresh": reply(10, "refresh", {"client": "c1", "version": "picshare", "expires": True, "ttl": 900}),
    "sub_refresh": reply(11, "sub_refresh", {"expires": True, "ttl": 60}),
}


@every_codec
@pytest.mark.parametrize("name", MESSAGES)
def test_clients_decode_what_was_encoded(peer: Peer, name: str) -> None:
    """Every message of the server is decoded completely by a client, documents as plain values."""
    assert peer.read(peer.codec.encode(MESSAGES[name])) == [_expected(MESSAGES[name])]


@every_codec
def test_defaults_may_be_explicit(peer: Peer) -> None:
    """A field with its default value may be in a message, such as `recovered: false`, and means the same as none."""
    lost = stream_result(Position(epoch="e", offset=0), recovered=False, publications=())
    (message,) = peer.read(peer.codec.encode(reply(1, "subscribe", lost)))
    result = message["subscribe"]
    assert (result.get("recovered", False), result["was_recovering"]) == (False, True)
    assert (result.get("offset", 0), result.get("publications", [])) == (0, [])


@every_codec
@pytest.mark.parametrize(
    "message", [{"id": 1, "ping": object()}, {"push": {"channel": "a", "pub": {"data": object()}}}]
)
def test_unknown_values_are_defects(peer: Peer, message: Message) -> None:
    """A value that is not part of the protocol raises an error."""
    with pytest.raises(TypeError):
        peer.codec.encode(message)


def _expected(part: Any) -> Any:
    if isinstance(part, RawJson):
        return orjson.loads(part.data)
    if isinstance(part, dict):
        return {key: _expected(item) for key, item in part.items()}
    return [_expected(item) for item in part] if isinstance(part, list) else part


@every_codec
def test_the_shortest_pong(peer: Peer) -> None:
    """A codec's own pong is decoded as one blank command."""
    pong = peer.codec.pong
    assert peer.codec.decode(pong if peer.codec.binary else pong.decode()) == [Command(0, None, {}, blank=True)]
