"""The client side of the live protocol, without a socket."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from loadtest.client.frames import CommandReply, ReceivedPublication
from loadtest.client.protocol import PONG, ClientCore, Connected, Order, Refused


def stream(offset: int, *, epoch: str = "e", **more: Any) -> dict[str, Any]:
    """Return a stream of a connect reply."""
    return {"epoch": epoch, "offset": offset, **more}


def connected(core: ClientCore, **subs: dict[str, Any]) -> Connected:
    """Connect and return the result."""
    command = orjson.loads(core.connect("token"))
    result = core.reply(
        CommandReply(command["id"], {"subs": subs, "ping": 25, "pong": True, "expires": True, "ttl": 900})
    )
    assert isinstance(result, Connected)
    return result


def test_the_first_connect_requests_no_recovery() -> None:
    """A new client sends only a token; the reply contains the token's lifetime and the ping interval."""
    core = ClientCore()
    assert orjson.loads(core.connect("token")) == {"id": 1, "connect": {"token": "token"}}
    result = connected(ClientCore(), feed=stream(5))
    assert (result.ping, result.ttl, result.recovered, result.missed) == (25.0, 900.0, {}, ())


def test_a_second_connect_sends_the_positions() -> None:
    """It sends the epoch and the newest offset of each stream, for recovery."""
    core = ClientCore()
    connected(core, feed=stream(5), notifications=stream(2, epoch="n"))
    core.take(ReceivedPublication("feed", 8))
    assert orjson.loads(core.connect("other")) == {
        "id": 2,
        "connect": {
            "token": "other",
            "subs": {
                "feed": {"recover": True, "epoch": "e", "offset": 8},
                "notifications": {"recover": True, "epoch": "n", "offset": 2},
            },
        },
    }


def test_offsets_must_grow_within_a_stream() -> None:
    """After 5: 6 is next, 6 again is a repeat, 4 goes back, 9 is next; a repeat does not change the position."""
    core = ClientCore()
    connected(core, feed=stream(5), notifications=stream(50))
    orders = [core.take(ReceivedPublication("feed", offset)) for offset in (6, 6, 4, 9, 0)]
    assert orders == [Order.NEXT, Order.REPEATED, Order.BACKWARDS, Order.NEXT, Order.NEXT]
    assert core.take(ReceivedPublication("notifications", 51)) is Order.NEXT
    assert core.take(ReceivedPublication("photo:p1", 1)) is Order.NEXT


def test_recovered_publications_are_checked_in_order() -> None:
    """Recovered publications come before live ones; afterwards the position is that of the reply."""
    core = ClientCore()
    connected(core, feed=stream(5))
    missed = [{"offset": 7, "data": {"type": "a"}}, {"offset": 6, "data": {"type": "b"}}]
    result = connected(core, feed=stream(9, recovered=True, was_recovering=True, publications=missed))
    assert result.recovered == {"feed": True}
    assert [(item.offset, order) for item, order in result.missed] == [(7, Order.NEXT), (6, Order.BACKWARDS)]
    assert core.take(ReceivedPublication("feed", 9)) is Order.REPEATED
    assert core.take(ReceivedPublication("feed", 10)) is Order.NEXT


def test_the_position_never_goes_back() -> None:
    """A reply whose offset is below its newest recovered publication does not make that publication new again."""
    core = ClientCore()
    connected(core, feed=stream(5))
    connected(core, feed=stream(5, recovered=True, publications=[{"offset": 8, "data": {"type": "a"}}]))
    assert core.take(ReceivedPublication("feed", 8)) is Order.REPEATED


@pytest.mark.parametrize("sub", [stream(100, recovered=False), stream(100, epoch="new")])
def test_a_stream_that_is_not_recovered_is_reset(sub: dict[str, Any]) -> None:
    """After `recovered: false` or with a new epoch the position is that of the reply, and nothing is recovered."""
    core = ClientCore()
    connected(core, feed=stream(500))
    result = connected(core, feed=sub)
    assert result.recovered == {"feed": False}
    assert core.take(ReceivedPublication("feed", 101)) is Order.NEXT


def test_a_stream_missing_in_the_reply_is_a_gap() -> None:
    """A connect reply without a stream that was received before counts as not recovered."""
    core = ClientCore()
    connected(core, feed=stream(5), notifications=stream(5))
    assert connected(core, feed=stream(5, recovered=True)).recovered == {"feed": True, "notifications": False}


def test_pings_are_answered_if_the_server_expects_it() -> None:
    """There is no pong before the connect reply, nor with `pong: false`."""
    core = ClientCore()
    assert core.ping() is None
    connected(core)
    assert core.ping() == PONG


def test_errors_name_the_failed_command() -> None:
    """A failed connect and a failed refresh are distinguished; other replies have no event."""
    core = ClientCore()
    core.connect("token")
    assert core.reply(CommandReply(1, {}, (109, "token expired"))) == Refused(
        code=109, message="token expired", connect=True
    )
    assert orjson.loads(core.refresh("newer")) == {"id": 2, "refresh": {"token": "newer"}}
    assert core.reply(CommandReply(2, {}, (100, "internal"))) == Refused(code=100, message="internal", connect=False)
    assert core.reply(CommandReply(2, {"ttl": 900})) is None
