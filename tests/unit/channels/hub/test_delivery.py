"""Which call of the hub each pub/sub message becomes, and that an order with a name is carried out once."""

from __future__ import annotations

import asyncio

import pytest

from channels.bus.addressing import STAR_CHANNELS, star_channel, topic_channel
from channels.bus.envelope import (
    PRESENCE_HEADER,
    block_body,
    control_body,
    encode_envelope,
    owner_end_body,
    session_input_body,
    stream_body,
    topic_body,
    topic_end_body,
)
from channels.contract.causes import Cause
from channels.contract.ports import Grant
from channels.hub.delivery import Delivery
from storage.ids import slot_group
from tests.support.fake_ports import FakePresences
from tests.support.recovery_scene import Scene

PROCESS, TOPIC = b"process", topic_channel("photo:1")
OWNER, VIEWER, AUTHOR = 5, 7, 9


class Calls:
    """A delivery to the scene's hub, with the calls that it makes elsewhere."""

    def __init__(self, scene: Scene) -> None:
        self.losses: list[str] = []
        self.inputs: list[tuple[str, bytes | str]] = []
        self.delivered: list[tuple[Cause, float, int]] = []
        self.delivery = Delivery(
            scene.hub,
            FakePresences(),
            frozenset([PROCESS, *STAR_CHANNELS]),
            self,
            lambda *given: self.inputs.append(given),
            on_delivered=lambda *given: self.delivered.append(given),
        )

    def lost(self) -> None:
        """Record a loss."""
        self.losses.append("lost")

    def restored(self) -> None:
        """Record the end of one."""
        self.losses.append("restored")

    def order(self, body: bytes, *, offset: int = 0) -> None:
        """Deliver a message to this process, for the scene's user."""
        self.delivery.message(PROCESS, encode_envelope([VIEWER], body, offset=offset), more=False)


@pytest.fixture
def calls(scene: Scene) -> Calls:
    """A delivery to the scene's hub."""
    return Calls(scene)


def subscribe(scene: Scene) -> None:
    """Subscribe the scene's client to a topic."""
    scene.hub.subscribe(scene.connection, "photo:1", Grant(topic="photo:1", owner_id=OWNER))


def is_subscribed(scene: Scene) -> bool:
    """Return whether the client's subscription goes on."""
    return "photo:1" in scene.connection.channels


async def written(scene: Scene) -> bytes:
    """Return what the client has received."""
    await asyncio.sleep(0)
    return b"".join(scene.transport.writes)


async def test_a_named_order_is_carried_out_once(scene: Scene, calls: Calls) -> None:
    """A repetition, even after another order, spares subscriptions made since; an order without a name does not."""
    outcomes = []
    for name in ("one", "one", "two", "one", "two", "", ""):
        subscribe(scene)
        calls.order(owner_end_body(OWNER, spare_owner=False, order=name))
        outcomes.append(is_subscribed(scene))
    assert outcomes == [False, True, False, True, True, False, False]


@pytest.mark.parametrize(
    ("body", "ends"),
    [
        (control_body(control="revoke", owner=OWNER), True),
        (control_body(control="revoke", owner=OWNER, topic="photo:2"), False),
        (control_body(control="revoke", owner=AUTHOR), False),
        (block_body(OWNER, blocked=True), True),
        (block_body(OWNER, blocked=False), False),
        (owner_end_body(OWNER, spare_owner=True), True),
    ],
)
async def test_an_order_ends_what_it_names(scene: Scene, calls: Calls, body: bytes, ends: bool) -> None:
    """A revocation and a block end the subscriptions to topics of their owner."""
    subscribe(scene)
    calls.order(body)
    assert is_subscribed(scene) is not ends


async def test_what_is_last_precedes_the_end(scene: Scene, calls: Calls) -> None:
    """The subscribers of each topic of the owner receive the document, then the end of their subscription."""
    subscribe(scene)
    scene.hub.subscribe(scene.connection, "photo:2", Grant(topic="photo:2", owner_id=AUTHOR))
    calls.order(owner_end_body(OWNER, spare_owner=False, last=b'"gone"'))
    received = await written(scene)
    assert received.count(b'"gone"') == 1
    assert received.index(b'"gone"') < received.index(b'"unsubscribe"')
    assert b"photo:2" not in received


async def test_a_message_to_followers_of_a_star(scene: Scene, calls: Calls) -> None:
    """It reaches users who follow the star, also without an offset, and no others."""
    body = stream_body("feed", b'"gone"')
    for star in (OWNER, AUTHOR):
        scene.hub.change_star([VIEWER], star, following=star == AUTHOR)
        calls.delivery.message(star_channel(slot_group(VIEWER)), encode_envelope([star], body), more=False)
        assert (b'"gone"' in await written(scene)) is (star == AUTHOR)


async def test_a_block_and_its_end(scene: Scene, calls: Calls) -> None:
    """Between the two orders the client receives no publication of the other user."""
    scene.hub.blocks.load(VIEWER, [])
    subscribe(scene)
    for number, blocked in enumerate((True, False)):
        calls.order(block_body(AUTHOR, blocked=blocked))
        calls.delivery.message(TOPIC, topic_body(b'"item %d"' % number, author_ids=[AUTHOR]), more=False)
    calls.delivery.message(TOPIC, topic_body(b'"item 2"'), more=False)
    sent = await written(scene)
    assert [b"item %d" % number in sent for number in range(3)] == [False, True, True]


@pytest.mark.parametrize(("session", "closes"), [("s", True), (None, True), ("another", False)])
async def test_a_session_is_closed(scene: Scene, calls: Calls, session: str | None, closes: bool) -> None:
    """An order to disconnect closes the connections of its session, or all."""
    calls.order(control_body(control="disconnect", session=session))
    assert (scene.connection.closed_with is not None) is closes


async def test_input_of_a_streaming_client(scene: Scene, calls: Calls) -> None:
    """Commands that another process has received reach the handler, with their session."""
    calls.order(session_input_body("a session", b"commands"))
    assert calls.inputs == [("a session", b"commands")]


async def test_publications(scene: Scene, calls: Calls) -> None:
    """Those of a stream have their offset; those of a topic, and presence changes, go to the subscribers."""
    subscribe(scene)
    calls.order(stream_body("feed", b'"of the feed"'), offset=1001)
    calls.delivery.message(TOPIC, topic_body(b'"of the topic"'), more=False)
    presence = PRESENCE_HEADER + AUTHOR.to_bytes(8, "big") + bytes(8)
    calls.delivery.message(TOPIC, presence, more=False)
    calls.delivery.message(TOPIC, topic_end_body(spare_owner=True), more=False)
    sent = await written(scene)
    assert [sent.count(text) for text in (b'"of the feed","offset":1001', b'"of the topic"', b'"unsubscribe":')] == [
        1
    ] * 3
    assert sent.count(b'"push":{"channel":"photo:1"') == 3
    assert not is_subscribed(scene)


async def test_the_cause_of_a_publication_is_reported_once_it_is_written(scene: Scene, calls: Calls) -> None:
    """It is reported with the number of connections; without connections, or without a cause, nothing is."""
    cause = Cause(queue="fanout", committed_at=1_700_000_000.5, traceparent="00-a-b-01")
    calls.delivery.message(TOPIC, topic_body(b"1", cause=cause), more=False)
    assert calls.delivered == []
    subscribe(scene)
    calls.delivery.message(TOPIC, topic_body(b"2", author_ids=[AUTHOR], cause=cause), more=False)
    calls.order(stream_body("feed", b"3", cause), offset=1001)
    calls.order(stream_body("feed", b"4"), offset=1002)
    assert [(found, number) for found, _, number in calls.delivered] == [(cause, 1)] * 2
    assert all(received_at > 0 for _, received_at, _ in calls.delivered)


@pytest.mark.parametrize(("channel", "losses"), [(PROCESS, ["lost", "restored"]), (TOPIC, [])])
async def test_an_unreadable_message(scene: Scene, calls: Calls, channel: bytes, losses: list[str]) -> None:
    """One to this process may have been a publication, so all streams are read again; a topic has no history."""
    calls.delivery.message(channel, b"\xff\xff", more=False)
    assert calls.losses == losses
