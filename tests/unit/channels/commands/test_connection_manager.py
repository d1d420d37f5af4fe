"""Connections in memory: combined writes, limits, pings and deadlines, with the time given by the test."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import pairwise
from typing import cast

import pytest

from channels.bus.addressing import topic_channel
from channels.commands.connection_manager import ConnectionManager
from channels.commands.dispatcher import CommandDispatcher
from channels.connection.connection import Connection
from channels.connection.keepalive import Keepalive
from channels.connection.stream_state import StreamState
from channels.connection.write_buffer import WriteScheduler
from channels.contract.metrics import NoLiveMetrics
from channels.contract.ports import Grant, Identity, Publication
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.protocol import codes
from channels.protocol.codec_json import JsonCodec
from channels.protocol.core import ProtocolCore
from channels.protocol.effects import Close
from channels.transports.websocket_format import WebSocketFormat, close_frame
from tests.support.memory_transport import MemoryTransport

SETTINGS = LiveSettings(write_buffer_bytes=1000, held_publications=3)
PING = WebSocketFormat(JsonCodec()).encode({})


class World:
    """Connections, their transports, and the counts of sent messages."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self._scheduler = WriteScheduler(self.sent.append, linger=SETTINGS.close_deadline)
        self.hub = Hub(self._scheduler, lambda _: 0)
        self.keepalive = Keepalive(SETTINGS, self._scheduler)
        self._wire_format = WebSocketFormat(JsonCodec())
        self.manager = ConnectionManager(
            cast(CommandDispatcher, None), self.hub, self.keepalive, SETTINGS, NoLiveMetrics()
        )
        self.start = asyncio.get_running_loop().time()

    def connection(self, user_id: int = 7, session: str = "s") -> tuple[Connection, MemoryTransport]:
        """Return a connection of a user whose stream `feed` is at offset 10."""
        transport = MemoryTransport()
        core = ProtocolCore(rate=10, burst=10, now=self.start)
        connection = Connection(self._wire_format, transport, core, self._scheduler, SETTINGS)
        connection.deadlines.connect = self.start + SETTINGS.connect_deadline
        self.hub.add(connection)
        self.keepalive.watch(connection)
        state = StreamState("feed", limit=SETTINGS.held_publications)
        state.advance("e", 10)
        state.release()
        connection.streams = {"feed": state}
        self.hub.join(connection, Identity(user_id=user_id, session=session, expires_at=0))
        return connection, transport


@pytest.fixture
async def world() -> World:
    """A world without connections."""
    return World()


async def test_messages_due_together_share_a_write(world: World) -> None:
    """Messages that arrive together are sent in one write, in order."""
    connection, transport = world.connection()
    for number in (11, 12, 13):
        world.hub.deliver([7], "feed", Publication(data=b"%d" % number, offset=number), more=number < 13)
    connection.send({"id": 1, "ping": {}})
    assert transport.writes == []
    await asyncio.sleep(0)
    assert len(transport.writes) == 1
    parts = [b'{"push":{"channel":"feed","pub":{"data":%d,"offset":%d}}}' % (n, n) for n in (11, 12, 13)]
    assert (
        transport.writes[0] == b"".join(b"\x81%c" % len(part) + part for part in parts) + b'\x81\x12{"id":1,"ping":{}}'
    )
    assert sum(world.sent) == 4


async def test_slow_client(world: World) -> None:
    """A client with more unsent bytes than allowed is closed with 3008; others continue to receive."""
    (slow, stuck), (_, quick) = world.connection(), world.connection()
    stuck.stuck = True
    world.hub.deliver([7], "feed", Publication(data=b'"%s"' % (b"x" * 1000), offset=11))
    await asyncio.sleep(0)
    world.manager.slow_consumer(slow)  # as the transport reports it
    assert slow.closed_with is codes.SLOW
    assert stuck.writes[-1] == close_frame(codes.SLOW)
    world.hub.deliver([7], "feed", Publication(data=b"1", offset=12))
    await asyncio.sleep(0)
    assert (len(stuck.writes), len(quick.writes)) == (2, 2)


async def test_close_is_last_and_once(world: World) -> None:
    """Pending messages are written before the close frame, and nothing after it."""
    connection, transport = world.connection()
    connection.send({})
    connection.close(codes.SHUTDOWN)
    connection.close(codes.SLOW)
    connection.send({})
    await asyncio.sleep(0)
    assert transport.writes == [PING, close_frame(codes.SHUTDOWN)]


async def test_nothing_is_written_to_a_lost_transport(world: World) -> None:
    """Nothing is written to a closed transport, not even what was pending."""
    connection, transport = world.connection()
    connection.send({})
    world.hub.deliver([7], "feed", Publication(data=b"1", offset=11))
    connection.mark_closed(codes.NORMAL)
    connection.send({})
    world.hub.deliver([7], "feed", Publication(data=b"2", offset=12))
    connection.close(codes.SHUTDOWN)
    await asyncio.sleep(0)
    assert transport.writes == []


async def test_ping_and_pong(world: World) -> None:
    """Each connection is pinged once per interval from a random moment, busy or not, and stays while it answers."""
    connection, transport = world.connection()
    connection.core.accepted()
    world.keepalive.start_pings(connection, world.start)
    pings = []
    for quarter in range(4 * 101):
        now = world.start + quarter / 4
        world.keepalive.tick(now)
        await asyncio.sleep(0)
        if transport.writes:
            assert transport.writes == [PING]
            pings.append(now - world.start)
            transport.writes.clear()
            connection.core.receive(JsonCodec().decode("{}")[0], now)
    assert pings[0] <= 25.5
    assert len(pings) == 1 + (100.75 - pings[0]) // 25
    assert all(24.5 <= later - earlier <= 26 for earlier, later in pairwise(pings))


@pytest.mark.parametrize(
    ("deadline", "expected"), [("connect", codes.STALE), ("expiry", codes.EXPIRED), ("pong", codes.NO_PONG)]
)
async def test_deadlines(world: World, deadline: str, expected: codes.Disconnect) -> None:
    """A connection is closed with the deadline's code, not before it and at most a tick after it."""
    connection, _ = world.connection()
    connection.deadlines.connect = float("inf")
    connection.core.ping_sent()
    setattr(connection.deadlines, deadline, world.start + 3)
    world.keepalive.watch(connection)
    world.keepalive.tick(world.start + 2.9)
    assert connection.closed_with is None
    world.keepalive.tick(world.start + 3.3)
    assert connection.closed_with is expected


async def test_busy_clients_are_not_blamed(world: World) -> None:
    """A pong that waits behind a command of the same client is not missed until the command is done."""
    connection, _ = world.connection()
    connection.deadlines.connect = float("inf")
    connection.core.ping_sent()
    connection.deadlines.pong = world.start + 1
    connection.inbox = deque()
    world.keepalive.watch(connection)
    world.keepalive.tick(world.start + 5)
    assert connection.closed_with is None
    connection.inbox = None
    world.keepalive.tick(world.start + 7)
    assert connection.closed_with is codes.NO_PONG


async def test_pings_stay_spread_after_a_long_sleep(world: World) -> None:
    """After a suspension all are pinged once, and from then on at their former moments, not all together."""
    world.keepalive.tick(world.start)
    transports = []
    for _ in range(20):
        connection, transport = world.connection()
        connection.answers_pings = False
        world.keepalive.start_pings(connection, world.start)
        transports.append(transport)
    later = world.start + 1000
    world.keepalive.tick(later)
    assert all(transport.writes == [PING] for transport in transports)
    portions = []
    for quarter in range(1, 4 * 25 + 1):
        before = sum(len(transport.writes) for transport in transports)
        world.keepalive.tick(later + quarter / 4)
        portions.append(sum(len(transport.writes) for transport in transports) - before)
    assert sum(portions) == 20
    assert max(portions) < 10


async def test_a_pong_counts_for_the_ping_before_it(world: World) -> None:
    """A pong keeps the connection until the next ping is not answered; a pong that is not due is not handled."""
    connection, transport = world.connection()
    connection.core.accepted()
    world.keepalive.start_pings(connection, world.start)
    assert not world.manager.pong(connection)
    now = world.start
    while len(transport.writes) < 3 and connection.closed_with is None:
        now += 0.25
        world.keepalive.tick(now)
        if len(transport.writes) < 3 and connection.core.pong_due:
            assert world.manager.pong(connection)
    assert connection.closed_with is None
    world.keepalive.tick(now + SETTINGS.pong_deadline - 0.3)
    assert connection.closed_with is None
    world.keepalive.tick(now + SETTINGS.pong_deadline + 0.3)
    assert connection.closed_with is codes.NO_PONG


async def test_a_pong_behind_a_request_waits_its_turn(world: World) -> None:
    """While a request is handled a pong is a command like any other, so that the order is kept."""
    connection, _ = world.connection()
    connection.core.accepted()
    connection.core.ping_sent()
    connection.inbox = deque()
    assert not world.manager.pong(connection)
    connection.inbox = None
    assert world.manager.pong(connection)


async def test_a_ping_does_not_extend_a_pong_that_is_due(world: World) -> None:
    """A connection that is one too many and silent is closed in time, although its group is pinged meanwhile."""
    connection, _ = world.connection()
    connection.core.accepted()
    world.keepalive.start_pings(connection, world.start)
    moment = world.start + SETTINGS.ping_interval
    world.keepalive.tick(moment)  # its first ping, which it answers
    assert world.manager.pong(connection)
    world.keepalive.tick(moment + SETTINGS.ping_interval - 4)
    assert world.manager.pong(connection) or not connection.core.pong_due
    now = moment + SETTINGS.ping_interval - 3.5
    world.keepalive.supersede(connection, now)
    for quarter in range(4 * 9):
        world.keepalive.tick(now + quarter / 4)
    assert connection.closed_with is codes.NO_PONG


async def test_a_long_sleep(world: World) -> None:
    """After a long sleep of the process, everything due is checked once."""
    pairs = [world.connection() for _ in range(3)]
    world.keepalive.tick(world.start)
    world.keepalive.tick(world.start + 100_000)
    assert all(connection.closed_with is codes.STALE for connection, _ in pairs)


async def test_held_publications_overflow(world: World) -> None:
    """A client with more held publications than allowed is closed with 3010."""
    connection, _ = world.connection()
    world.hub.hold()
    for number in range(4):
        assert connection.closed_with is None
        world.hub.deliver([7], "feed", Publication(data=b"1", offset=20 + number))
    assert connection.closed_with is codes.INSUFFICIENT_STATE


async def test_holds_are_not_repeated(world: World) -> None:
    """`hold` leaves out connections that are held already, but not those that came later."""
    first, _ = world.connection()
    held = world.hub.hold()
    second, _ = world.connection(8)
    assert list(world.hub.hold(already_held=held)) == [second]
    assert list(held) == [first]


async def test_topics_by_channel_name(world: World) -> None:
    """Each subscriber receives a topic under its own channel name; revoking the owner's topics ends both."""
    (one, first), (two, second) = world.connection(), world.connection(8)
    grant = Grant(topic="photo:A", owner_id=5)
    world.hub.subscribe(one, "photo:A", grant)
    world.hub.subscribe(two, "photo:a", grant)
    assert world.hub.has_subscribers(topic_channel("photo:A"))
    world.hub.deliver_topic(topic_channel("photo:A"), Publication(data=b"1"))
    await asyncio.sleep(0)
    assert b'"photo:A"' in first.writes[0]
    assert b'"photo:a"' in second.writes[0]
    world.hub.revoke([7, 8], 6)
    assert one.channels
    world.hub.revoke([7, 8], 5)
    assert not one.channels
    assert not world.hub.has_subscribers(topic_channel("photo:A"))


async def test_leaving(world: World) -> None:
    """A user is gone after the last connection; leaving twice does nothing."""
    one, _ = world.connection()
    two, _ = world.connection()
    world.hub.subscribe(one, "photo:1", Grant(topic="photo:1", owner_id=1))
    assert world.hub.leave(one) is None
    assert not world.hub.has_subscribers(topic_channel("photo:1"))
    assert world.hub.leave(one) is None
    assert world.hub.open_connections(7) == [two]
    assert world.hub.leave(two) == 7
    assert not world.hub.has_user(7)


async def test_ended_connections_do_not_count(world: World) -> None:
    """Connections that are closed, or whose transport is gone, do not count against a user's limit."""
    closed, lost, first, second = [world.connection()[0] for _ in range(4)]
    closed.close(codes.EXPIRED)
    lost.lost = True
    assert world.hub.open_connections(7) == [first, second]
    assert world.hub.open_connections(8) == []


async def test_what_waits_behind_a_request_is_bounded(world: World) -> None:
    """Commands that arrive while a request is handled wait, up to twice the burst; more close with 3013."""
    connection, _ = world.connection()
    connection.inbox = deque()
    accepted = 0
    while connection.closed_with is None:
        accepted += 1
        world.manager.received(connection, '{"id":1,"ping":{}}')
        assert accepted <= SETTINGS.command_burst + 1
    assert (accepted, connection.closed_with) == (SETTINGS.command_burst + 1, codes.TOO_MANY_REQUESTS)
    waiting = len(connection.inbox)
    world.manager.received(connection, '{"id":1,"ping":{}}')
    assert len(connection.inbox) == waiting


@pytest.mark.parametrize("pinged", [False, True], ids=["pinged now", "pong due already"])
async def test_one_connection_too_many(world: World, pinged: bool) -> None:
    """A connection that is one too many ends for good with its pong, which it is asked for once."""
    connection, transport = world.connection()
    connection.core.accepted()
    world.keepalive.start_pings(connection, world.start)
    now = world.start
    if pinged:
        now += SETTINGS.ping_interval + 0.3
        world.keepalive.tick(now)
    world.keepalive.supersede(connection, now + 0.1)
    await asyncio.sleep(0)
    assert transport.writes == [PING]
    assert not world.manager.pong(connection)  # it has an effect, so it must be handled as a command
    pong = connection.core.receive(JsonCodec().decode("{}")[0], now + 1)
    assert pong == Close(codes.CONNECTION_LIMIT)


async def test_one_dead_connection_too_many(world: World) -> None:
    """A connection that is one too many and does not answer ends with 3012, after which a client reconnects."""
    connection, _ = world.connection()
    connection.core.accepted()
    world.keepalive.start_pings(connection, world.start)
    world.keepalive.supersede(connection, world.start)
    world.keepalive.tick(world.start + SETTINGS.pong_deadline - 0.3)
    assert connection.closed_with is None
    world.keepalive.tick(world.start + SETTINGS.pong_deadline + 0.3)
    assert connection.closed_with is codes.NO_PONG
