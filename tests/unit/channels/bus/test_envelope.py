"""Pub/sub messages byte for byte, and the names of keys and channels."""

from __future__ import annotations

from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bus.addressing import (
    channel_prefix,
    last_seen_key,
    new_process_id,
    presence_channel_prefix,
    presence_topic,
    present_key,
    process_channels,
    registry_key,
    topic_channel,
    user_field,
)
from channels.bus.envelope import (
    PRESENCE_HEADER,
    BadEnvelopeError,
    BlockChange,
    DisconnectOrder,
    Envelope,
    OwnerEnd,
    PresenceChange,
    Revoke,
    StarChange,
    StreamBody,
    TopicData,
    TopicEnd,
    block_body,
    control_body,
    decode_envelope,
    decode_topic_message,
    encode_envelope,
    owner_end_body,
    star_body,
    stream_body,
    topic_body,
    topic_end_body,
)
from channels.contract.causes import Cause
from channels.contract.ports import Presence


def test_layout() -> None:
    """The header is version, offset, count and recipients, big-endian; the body follows."""
    message = bytes.fromhex("01 0000000000000102 00000002 0000000000000007 7fffffffffffffff") + stream_body(
        "feed", b"{}"
    )
    assert decode_envelope(message) == Envelope(0x102, (7, (1 << 63) - 1), StreamBody("feed", b"{}"))
    assert encode_envelope([7, (1 << 63) - 1], stream_body("feed", b"{}"), offset=0x102) == message


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        (control_body(control="revoke", owner=5), Revoke(5)),
        (control_body(control="revoke", owner=5, topic="photo:1"), Revoke(5, "photo:1")),
        (msgpack.packb({"control": "revoke", "owner": 5}), Revoke(5)),
        (block_body(6, blocked=True), BlockChange(6, blocked=True)),
        (block_body(6, blocked=False), BlockChange(6, blocked=False)),
        (star_body(6, True), StarChange(6, following=True)),
        (star_body(6, False), StarChange(6, following=False)),
        (owner_end_body(5, spare_owner=False), OwnerEnd(5, spare_owner=False)),
        (owner_end_body(5, spare_owner=True), OwnerEnd(5, spare_owner=True)),
        (owner_end_body(5, spare_owner=True, order="a"), OwnerEnd(5, spare_owner=True, order="a")),
        (owner_end_body(5, spare_owner=False, last=b'"x"'), OwnerEnd(5, spare_owner=False, last=b'"x"')),
        (control_body(control="disconnect", session="s"), DisconnectOrder("s")),
        (control_body(control="disconnect"), DisconnectOrder(None)),
    ],
)
def test_orders(body: bytes, meaning: object) -> None:
    """Orders are decoded to what was encoded."""
    assert decode_envelope(encode_envelope([1], body)).body == meaning


def test_unknown_order_is_a_defect() -> None:
    """Encoding an unknown order raises ValueError."""
    with pytest.raises(ValueError, match="unknown order"):
        control_body(control="explode")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x02" + encode_envelope([1], stream_body("feed", b"{}"))[1:],
        encode_envelope([1], stream_body("feed", b"{}"))[:-1],
        encode_envelope([1, 2], b"")[:-1],
        b"\x01" + bytes(8) + b"\xff\xff\xff\xff",
        encode_envelope([1], msgpack.packb({"stream": "feed", "data": "text"})),
        encode_envelope([1], msgpack.packb({"control": "explode"})),
        encode_envelope([1], msgpack.packb({"control": "revoke", "owner": None})),
        encode_envelope([1], stream_body("feed", b"{}") + b"\x00"),
    ],
)
def test_unreadable(message: bytes) -> None:
    """Another version, a truncated message, or a body of another shape is rejected."""
    with pytest.raises(BadEnvelopeError):
        decode_envelope(message)


@given(st.binary(max_size=200))
def test_any_bytes(message: bytes) -> None:
    """Any bytes are decoded or rejected with `BadEnvelopeError`."""
    for read in (decode_envelope, decode_topic_message):
        with suppress(BadEnvelopeError):
            read(message)


def test_topic_messages() -> None:
    """A topic's message carries a document, or ends all subscriptions, or all but the owner's."""
    assert decode_topic_message(topic_body(b"{}")) == TopicData(b"{}")
    assert decode_topic_message(topic_body(b"{}", author_ids=[5])) == TopicData(b"{}", (5,))
    assert decode_topic_message(topic_body(b"{}", author_ids=[5, 6])) == TopicData(b"{}", (5, 6))
    assert decode_topic_message(topic_end_body(spare_owner=False)) == TopicEnd(spare_owner=False)
    assert decode_topic_message(topic_end_body(spare_owner=True)) == TopicEnd(spare_owner=True)
    for message in (
        msgpack.packb({"control": "other"}),
        msgpack.packb({"presence": bytes(15)}),
        msgpack.packb({"presence": "x" * 16}),
    ):
        with pytest.raises(BadEnvelopeError):
            decode_topic_message(message)


@pytest.mark.parametrize(
    ("last_seen", "presence"),
    [
        (0, Presence(online=True)),
        (1_795_179_695_627, Presence(online=False, last_seen=1_795_179_695_627)),
    ],
)
def test_presence_messages(last_seen: int, presence: Presence) -> None:
    """A presence message is the header that scripts receive, followed by two numbers."""
    message = PRESENCE_HEADER + user_field(5) + last_seen.to_bytes(8, "big")
    assert decode_topic_message(message) == PresenceChange(5, presence)


def test_names() -> None:
    """A group's keys and channels share a hash tag, topics have one of them, and a process subscribes to all groups."""
    assert registry_key(3) == b"online:{3}"
    assert channel_prefix(3) == b"live:{3}:"
    assert topic_channel("photo:X") == b"topic:{7}:photo:X"
    assert topic_channel("presence:{3}:X") == b"topic:presence:{3}:X"
    groups = {topic_channel(f"photo:{number}").split(b":")[1] for number in range(200)}
    assert groups == {b"{%d}" % group for group in range(16)}
    assert (present_key(3), last_seen_key(3)) == (b"present:{3}", b"seen:{3}")
    process = new_process_id()
    assert len(process) == 8
    assert process_channels(process) == [
        *(b"live:{%d}:%b" % (group, process) for group in range(16)),
        b"live:{0}:all",
        *(b"live:{%d}:stars" % group for group in range(16)),
    ]


def test_presence_topics_share_their_group_s_slot() -> None:
    """The first hash tag of a presence channel is its group's, so that one script can change keys and publish."""
    channel = topic_channel(presence_topic(3, 0xABC))
    assert channel == presence_channel_prefix(3) + b"0000000000000abc"
    assert channel.partition(b"{")[2].partition(b"}")[0] == b"3"


def test_the_cause_of_a_publication() -> None:
    """A cause is kept to the millisecond; one that a newer version writes in another form is ignored."""
    cause = Cause(queue="fanout", committed_at=1_700_000_000.123, traceparent="00-a-b-01")
    assert decode_topic_message(topic_body(b"{}", author_ids=[5, 6], cause=cause)) == TopicData(b"{}", (5, 6), cause)
    message = encode_envelope([1], stream_body("feed", b"{}", cause))
    assert decode_envelope(message).body == StreamBody("feed", b"{}", cause)
    other = msgpack.packb({"data": b"{}", "cause": {"at": 5}})
    assert decode_topic_message(other) == TopicData(b"{}")
