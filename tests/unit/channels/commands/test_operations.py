"""Subscriptions of GraphQL on the hub: streams with their positions, topics, sharing and limits."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from channels.contract.ports import Grant, Identity
from channels.protocol.codes import Unsubscribed
from tests.support.eventually import eventually
from tests.support.graphql_scene import GraphqlScene


def events(received: list[dict[str, Any]], operation_id: str) -> list[Any]:
    """Return the data of an operation's events."""
    return [each["payload"]["data"] for each in received if each["type"] == "next" and each["id"] == operation_id]


async def test_a_stream_is_delivered_to_its_operation_with_the_position() -> None:
    """Each event has the position from which the client continues."""
    scene = GraphqlScene()
    device = await (await scene.device().initialised()).subscribed("a", "feed")
    item = scene.publish(7, "feed", b"1")
    scene.publish(7, "notifications", b"2")
    scene.publish(8, "feed", b"3")
    await scene.settled()
    position = {"epoch": "e1", "offset": item.offset}
    assert device.received[1:] == [
        {"id": "a", "type": "next", "payload": {"data": 1, "extensions": {"position": position}}}
    ]


async def test_a_publication_is_projected_once_for_all() -> None:
    """However many connections and operations select the same."""
    scene = GraphqlScene()
    devices = [await scene.device().initialised() for _ in range(3)]
    for device in devices:
        await device.subscribed("a", "photo:9")
        await device.subscribed("b", "photo:9")
    scene.publish_on("photo:9", b"5")
    await scene.settled()
    assert scene.documents.projection.calls == 1
    assert all(events(device.received, name) == [5] for device in devices for name in "ab")


async def test_what_was_missed_precedes_what_is_live() -> None:
    """Recovery reads while publications arrive; each is delivered once and in order."""
    scene = GraphqlScene()
    device = await scene.device().initialised()
    since = scene.streams.append(7, "feed", b"0").offset
    scene.publish(7, "feed", b"1")
    device.send(type="subscribe", id="a", payload={"query": "feed", "variables": {"since": since}})
    scene.publish(7, "feed", b"2")
    await device.subscribed("b", "feed")
    scene.publish(7, "feed", b"3")
    await scene.settled()
    assert events(device.received, "a") == [1, 2, 3]
    assert events(device.received, "b") == [3]


async def test_an_event_waits_while_an_operation_begins() -> None:
    """What arrives during the read of what was missed is sent after it, and once."""
    scene = GraphqlScene()
    device = await (await scene.device().initialised()).subscribed("a", "feed")
    operation = device.connection.operations["a"]
    assert operation.state is not None
    operation.state.hold()
    scene.publish(7, "feed", b"1")
    await scene.settled()
    assert events(device.received, "a") == []
    device.connection.release(operation)
    await scene.settled()
    assert events(device.received, "a") == [1]


async def test_a_position_that_is_lost_is_an_error() -> None:
    """The client fetches the list again, and subscribes without a position."""
    scene = GraphqlScene()
    device = await scene.device().initialised()
    scene.streams.floor = 2000
    device.send(type="subscribe", id="a", payload={"query": "feed", "variables": {"since": 5}})
    received = await device.expect(2)
    assert received[1]["payload"][0]["extensions"] == {"code": "unrecoverable_position"}
    assert not device.connection.operations


async def test_what_is_no_event_is_not_sent() -> None:
    """A subscription selects from the types of publications that it knows."""
    scene = GraphqlScene()
    device = await (await scene.device().initialised()).subscribed("a", "feed")
    scene.publish(7, "feed", b"null")
    await scene.settled()
    assert len(device.received) == 1


async def test_a_permission_that_ends_completes_its_operations() -> None:
    """The other operations of the connection go on."""
    scene = GraphqlScene()
    device = await scene.device().initialised()
    await device.subscribed("a", "photo:9")
    await device.subscribed("b", "feed")
    scene.hub.revoke([7], 9)
    scene.publish_on("photo:9", b"5")
    await scene.settled()
    assert device.received[1:] == [{"id": "a", "type": "complete"}]
    assert list(device.connection.operations) == ["b"]


async def test_a_lost_topic_is_an_error_that_asks_to_subscribe_again() -> None:
    """Topics have no history, so events may have been missed."""
    scene = GraphqlScene()
    device = await (await scene.device().initialised()).subscribed("a", "photo:9")
    scene.hub.end_subscription(device.connection, "photo:9", Unsubscribed.INSUFFICIENT)
    await scene.settled()
    assert device.received[1]["payload"][0]["extensions"]["code"] == "subscribe_again"
    await device.subscribed("a", "photo:9")


async def test_a_missing_permission_is_an_error_of_the_operation() -> None:
    """Another subscription of the connection is not affected."""
    scene = GraphqlScene()
    scene.authorizer.blocked.add((9, 7))
    device = await scene.device().initialised()
    device.send(type="subscribe", id="a", payload={"query": "photo:9"})
    received = await device.expect(2)
    assert received[1]["type"] == "error"
    assert received[1]["payload"][0]["extensions"] == {"code": "permission_denied"}
    await device.subscribed("a", "feed")


async def test_the_last_operation_on_a_topic_ends_its_subscription() -> None:
    """And nothing is delivered to an operation that the client has completed."""
    scene = GraphqlScene()
    device = await scene.device().initialised()
    await device.subscribed("a", "photo:9")
    await device.subscribed("b", "photo:9")
    device.send(type="complete", id="a")
    assert "photo:9" in device.connection.channels
    scene.publish_on("photo:9", b"5")
    device.send(type="complete", id="b")
    assert "photo:9" not in device.connection.channels
    await scene.settled()
    assert events(device.received, "a") == []
    assert events(device.received, "b") == [5]


async def test_a_refused_document_ends_its_operation_alone() -> None:
    """With the errors of the check, as in the response of a query."""
    scene = GraphqlScene()
    device = await scene.device().initialised()
    device.send(type="subscribe", id="a", payload={"query": "wrong"})
    received = await device.expect(2)
    assert received[1] == {"id": "a", "type": "error", "payload": [{"message": "wrong"}]}
    await device.subscribed("a", "feed")


async def test_a_connection_has_a_limited_number_of_operations() -> None:
    """One more is an error, and the others go on."""
    scene = GraphqlScene(subscriptions=3)
    device = await scene.device().initialised()
    for number in range(3):
        await device.subscribed(str(number), "feed")
    device.send(type="subscribe", id="more", payload={"query": "feed"})
    received = await device.expect(2)
    assert received[1]["payload"][0]["extensions"] == {"code": "limit_exceeded"}
    assert len(device.connection.operations) == 3


async def test_a_wrong_token_closes_with_4403() -> None:
    """So does a session that ends later."""
    scene = GraphqlScene()
    device = scene.device()
    device.send(type="connection_init", payload={"token": "no number"})
    assert await device.expect(1) == [{"close": 4403}]
    signed_out = await scene.device().initialised("7:laptop")
    scene.hub.disconnect([7], "laptop")
    assert signed_out.received[-1] == {"close": 4403}


async def test_an_event_stream_is_one_operation() -> None:
    """It begins with its request and ends with the operation."""
    scene = GraphqlScene()
    device = scene.stream(Identity(user_id=7, session="s", expires_at=time.time() + 60))
    device.raw('{"query":"photo:9"}')

    await eventually(lambda: "photo:9" in device.connection.channels)
    scene.publish_on("photo:9", b"5")
    scene.hub.revoke([7], 9)
    await eventually(lambda: device.transport.closing)
    sent = b"".join(device.transport.writes)
    assert sent == b':\n\nevent: next\ndata: {"data":5}\n\nevent: complete\ndata:\n\n:\n\n'


async def test_a_topic_begins_with_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a further operation on a topic that the connection has subscribed to."""
    scene = GraphqlScene()

    async def authorize(_identity: Identity, channel: str) -> Grant:
        return Grant(topic=channel, owner_id=9, data=b'{"online":true}')

    monkeypatch.setattr(scene.authorizer, "authorize", authorize)
    device = await scene.device().initialised()
    await device.subscribed("a", "presence:9")
    await device.subscribed("b", "presence:9")
    await scene.settled()
    assert events(device.received, "a") == events(device.received, "b") == [{"online": True}]


async def test_a_client_without_initialisation_is_closed_with_4408() -> None:
    """After the connect deadline."""
    scene = GraphqlScene()
    device = scene.device()
    scene.keepalive.tick(asyncio.get_running_loop().time() + scene.settings.connect_deadline + 1)
    assert device.received == [{"close": 4408}]
