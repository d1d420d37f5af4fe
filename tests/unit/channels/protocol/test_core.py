"""The rules of the protocol core, one per line of a table."""

from __future__ import annotations

from typing import Any

import pytest

from channels.contract.ports import Position
from channels.protocol import codes
from channels.protocol.codec import parse_command
from channels.protocol.codes import ErrorCode
from channels.protocol.core import MAX_HISTORY, ProtocolCore
from channels.protocol.effects import (
    CallMethod,
    Close,
    Connect,
    NoOp,
    ReadHistory,
    ReadPresence,
    Refresh,
    Reply,
    Subscribe,
    Unsubscribe,
)
from channels.protocol.messages import error_reply, reply

CONNECT = {"id": 1, "connect": {"token": "t"}}
BAD = Close(codes.BAD_REQUEST)


def core(*, rate: float = 10, burst: int = 100) -> ProtocolCore:
    """Return a core at time 0."""
    return ProtocolCore(rate=rate, burst=burst, now=0.0)


def connected_core() -> ProtocolCore:
    """Return a core whose connect was accepted."""
    ready = core()
    ready.receive(parse_command(CONNECT), 0.0)
    ready.accepted()
    return ready


@pytest.mark.parametrize(
    ("message", "effect"),
    [
        (CONNECT, Connect(1, "t", {})),
        ({"id": 1, "connect": {}}, Connect(1, "", {})),
        ({"id": 1, "connect": {"token": "t", "data": {"x": 1}, "unknown": 1}}, Connect(1, "t", {})),
        (
            {"id": 1, "connect": {"subs": {"feed": {"recover": True, "offset": 5, "epoch": "e"}, "x": {"offset": 1}}}},
            Connect(1, "", {"feed": Position(epoch="e", offset=5)}),
        ),
        ({"id": 1, "connect": {"token": 5}}, Reply(error_reply(1, ErrorCode.BAD_REQUEST))),
        ({"id": 1, "connect": {"subs": [1]}}, Reply(error_reply(1, ErrorCode.BAD_REQUEST))),
        (
            {"id": 1, "connect": {"subs": {"a": {"recover": True, "offset": True}}}},
            Reply(error_reply(1, ErrorCode.BAD_REQUEST)),
        ),
        ({"id": 1, "subscribe": {"channel": "a"}}, BAD),
        ({"id": 1, "ping": {}}, BAD),
        ({"id": 1}, BAD),
        ({"connect": {"token": "t"}}, BAD),
        ({"send": {}}, BAD),
        ({}, BAD),
    ],
)
def test_before_connect(message: dict[str, Any], effect: object) -> None:
    """Before a connect only a connect with an id is accepted; its parameters are parsed or rejected."""
    assert core().receive(parse_command(message), 0.0) == effect


@pytest.mark.parametrize(
    ("message", "effect"),
    [
        (CONNECT, BAD),
        ({"id": 2, "subscribe": {"channel": "photo:1", "recover": True}}, Subscribe(2, "photo:1")),
        ({"id": 2, "subscribe": {}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "subscribe": {"channel": "x" * 256}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "unsubscribe": {"channel": "photo:1"}}, Unsubscribe(2, "photo:1")),
        ({"id": 2, "refresh": {"token": "n"}}, Refresh(2, "n")),
        ({"id": 2, "refresh": {"token": None}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "ping": {}}, Reply(reply(2, "ping", {}))),
        ({"id": 2, "ping": None}, Reply(reply(2, "ping", {}))),
        ({"id": 2, "publish": {}}, Reply(error_reply(2, ErrorCode.PERMISSION_DENIED))),
        ({"id": 2, "sub_refresh": {}}, Reply(error_reply(2, ErrorCode.NOT_AVAILABLE))),
        ({"id": 2, "rpc": {"method": "like", "data": [1]}}, CallMethod(2, "like", [1])),
        ({"id": 2, "rpc": {}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "rpc": {"method": "x" * 256}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "something_new": {}}, Reply(error_reply(2, ErrorCode.METHOD_NOT_FOUND))),
        ({"id": 2}, Reply(error_reply(2, ErrorCode.METHOD_NOT_FOUND))),
        ({"id": 2, "presence": {"channel": "a"}}, ReadPresence(2, "a", False)),
        ({"id": 2, "presence_stats": {"channel": "a"}}, ReadPresence(2, "a", True)),
        ({"id": 2, "presence": {}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "history": {"channel": "feed"}}, ReadHistory(2, "feed", 0, None, False)),
        (
            {
                "id": 2,
                "history": {"channel": "feed", "limit": 5, "since": {"epoch": "e", "offset": 3}, "reverse": True},
            },
            ReadHistory(2, "feed", 5, Position(epoch="e", offset=3), True),
        ),
        ({"id": 2, "history": {"channel": "feed", "limit": -1}}, ReadHistory(2, "feed", MAX_HISTORY, None, False)),
        ({"id": 2, "history": {"channel": "feed", "limit": 10**9}}, ReadHistory(2, "feed", MAX_HISTORY, None, False)),
        ({"id": 2, "history": {"channel": "feed", "limit": "5"}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "history": {"channel": "feed", "since": 7}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"id": 2, "history": {}}, Reply(error_reply(2, ErrorCode.BAD_REQUEST))),
        ({"send": {"data": 1}}, NoOp()),
        ({"id": 2, "send": {}}, BAD),
        ({"subscribe": {"channel": "a"}}, BAD),
        ({"id": 0, "ping": {}}, BAD),
        ({}, BAD),
    ],
)
def test_after_connect(message: dict[str, Any], effect: object) -> None:
    """After a connect every method has its effect or its error; a violation closes with 3501."""
    assert connected_core().receive(parse_command(message), 0.0) == effect


def test_pong_answers_one_ping() -> None:
    """Each ping allows one pong."""
    protocol = connected_core()
    due = [protocol.pong_due]
    protocol.ping_sent()
    due.append(protocol.pong_due)
    assert protocol.receive(parse_command({}), 0.0) == NoOp()
    due.append(protocol.pong_due)
    assert due == [False, True, False]
    assert protocol.receive(parse_command({}), 0.0) == BAD


def test_the_short_way_of_a_pong() -> None:
    """A pong that is due and has no effect may be handled without a command; every other one may not."""
    protocol = connected_core()
    assert not protocol.pong()
    protocol.ping_sent()
    assert protocol.pong()
    assert not protocol.pong()
    assert protocol.receive(parse_command({}), 0.0) == BAD
    protocol.ping_sent()
    protocol.supersede()
    assert not protocol.pong()
    fresh = core()
    fresh.ping_sent()
    assert not fresh.pong()


def test_pong_of_a_connection_too_many() -> None:
    """A superseded connection closes for good with its pong, not with other commands."""
    protocol = connected_core()
    protocol.supersede()
    protocol.ping_sent()
    assert type(protocol.receive(parse_command({"id": 2, "ping": {}}), 0.0)) is Reply
    assert protocol.receive(parse_command({}), 0.0) == Close(codes.CONNECTION_LIMIT)


def test_rest_of_the_frame_after_a_rejected_connect() -> None:
    """After a rejected connect the rest of its frame is ignored, and the next frame starts over."""
    protocol = core()
    protocol.begin_frame()
    protocol.receive(parse_command(CONNECT), 0.0)
    protocol.refused()
    for message in ({"id": 2, "subscribe": {"channel": "a"}}, CONNECT, {}):
        assert protocol.receive(parse_command(message), 0.0) == NoOp()
    protocol.begin_frame()
    assert protocol.receive(parse_command(CONNECT), 0.0) == Connect(1, "t", {})


def test_commands_while_connecting() -> None:
    """A second connect during the first closes with 3501."""
    protocol = core()
    protocol.receive(parse_command(CONNECT), 0.0)
    assert protocol.receive(parse_command(CONNECT), 0.0) == BAD


def test_rate() -> None:
    """With 2 a second and 3 at once, three pass and the fourth closes; half a second later one passes again."""
    protocol = core(rate=2, burst=3)
    protocol.receive(parse_command(CONNECT), 0.0)
    protocol.accepted()
    ping = parse_command({"id": 2, "ping": {}})
    assert [type(protocol.receive(ping, 0.0)) for _ in range(3)] == [Reply, Reply, Close]
    assert type(protocol.receive(ping, 0.5)) is Reply
    assert protocol.receive(ping, 0.5) == Close(codes.TOO_MANY_REQUESTS)
    # However long the connection was idle, only the burst is available.
    assert [type(protocol.receive(ping, 1000.0)) for _ in range(4)] == [Reply, Reply, Reply, Close]
