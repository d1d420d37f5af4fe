"""The state machine of graphql-transport-ws: messages in, effects out."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from channels.protocol import codes, graphql
from channels.protocol.codec import BadFrameError
from channels.protocol.effects import Close, Connect, Effect, EndOperation, NoOp, Reply, StartOperation
from channels.protocol.graphql import GraphqlCore, close_code, decode


def core(**options: Any) -> GraphqlCore:
    """Return a state machine with room for many commands."""
    return GraphqlCore(**{"rate": 1.0, "burst": 100, "now": 0.0} | options)


def receive(machine: GraphqlCore, **message: Any) -> Effect:
    """Return the effect of one message."""
    return machine.receive(decode(orjson.dumps(message).decode())[0], 0.0)


def connected() -> GraphqlCore:
    """Return a state machine after connection_ack."""
    machine = core()
    receive(machine, type="connection_init")
    machine.accepted()
    return machine


@pytest.mark.parametrize(
    ("payload", "token"),
    [
        ({"token": "T"}, "T"),
        ({"Authorization": "Bearer T"}, "T"),
        ({"authorization": "bearer T"}, "T"),
        ({"authToken": "T"}, ""),
        (None, ""),
    ],
)
def test_the_token_is_in_the_payload(payload: Any, token: str) -> None:
    """The token may be named as in this API, or as the header of a request."""
    assert receive(core(), type="connection_init", payload=payload) == Connect(1, token, {})


def test_a_second_initialisation_closes_with_4429() -> None:
    """Also while the first one is in progress."""
    machine = core()
    receive(machine, type="connection_init")
    assert receive(machine, type="connection_init") == Close(graphql.TOO_MANY_INITS)
    assert graphql.TOO_MANY_INITS.code == 4429


def test_an_operation_before_the_acknowledgement_closes_with_4401() -> None:
    """Nothing is executed for a client that is not known."""
    message = {"type": "subscribe", "id": "1", "payload": {"query": "q"}}
    assert receive(core(), **message) == Close(graphql.UNAUTHORIZED)


def test_an_id_is_unique_among_running_operations() -> None:
    """A second operation with an id closes with 4409, and after the first has ended it is accepted."""
    machine, message = connected(), {"type": "subscribe", "id": "1", "payload": {"query": "q"}}
    assert receive(machine, **message) == StartOperation("1", {"query": "q"})
    assert receive(machine, **message) == Close(graphql.SUBSCRIBER_EXISTS)
    assert receive(machine, type="complete", id="1") == EndOperation("1")
    assert receive(machine, **message) == StartOperation("1", {"query": "q"})


def test_pings_are_answered_and_pongs_are_ignored() -> None:
    """Both may be sent at any time, also before the initialisation."""
    machine = core()
    assert receive(machine, type="ping", payload={"a": 1}) == Reply({"type": "pong", "payload": {"a": 1}})
    assert receive(machine, type="ping") == Reply({"type": "pong"})
    assert receive(machine, type="pong") == NoOp()


def test_the_pong_of_a_superseded_connection_closes_it() -> None:
    """It has shown that it is alive and one too many."""
    machine = connected()
    machine.supersede()
    machine.ping_sent()
    assert receive(machine, type="pong") == Close(codes.CONNECTION_LIMIT)


def test_a_flood_of_subscriptions_closes_the_connection() -> None:
    """A subscription counts as several commands, because its document is checked."""
    machine = connected()
    effects = [receive(machine, type="subscribe", id=str(number), payload={}) for number in range(20)]
    started = [effect for effect in effects if isinstance(effect, StartOperation)]
    assert 5 < len(started) < 15
    assert effects[-1] == Close(codes.TOO_MANY_REQUESTS)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        '{"type":"start"}',
        '{"type":["ping"]}',
        '{"type":"subscribe","payload":{}}',
        '{"type":"subscribe","id":"","payload":{}}',
        '{"type":"subscribe","id":1,"payload":{}}',
        '{"type":"subscribe","id":"1"}',
        '{"type":"complete"}',
        '{"type":"ping","payload":3}',
        b"{}",
    ],
    ids=repr,
)
def test_what_is_no_message_is_refused(data: str | bytes) -> None:
    """The connection then closes with 4400."""
    with pytest.raises(BadFrameError):
        decode(data)
    assert close_code(codes.BAD_REQUEST).code == 4400


def test_codes_of_the_live_protocol_have_their_equivalents() -> None:
    """A client distinguishes what it may try again: codes without an equivalent are sent as they are."""
    assert close_code(codes.STALE).code == 4408
    assert close_code(codes.INVALID_TOKEN).code == 4403
    assert close_code(codes.SHUTDOWN) == codes.SHUTDOWN
