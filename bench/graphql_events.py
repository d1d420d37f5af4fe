"""Processor time of one publication to many sockets as an event of GraphQL, against the JSON of Centrifuge.

Both are written by the same hub to TCP sockets of this process, which nobody reads while the time is taken. Every
subscription of GraphQL has an id of its own, as those of the client graphql-ws, so no two frames are equal.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import orjson

from bench.report import RATIO, Figure, figure, ratios
from channels.bus.addressing import topic_channel
from channels.connection.connection import Connection
from channels.connection.graphql_connection import GraphqlConnection, Operation
from channels.connection.stream_state import StreamState
from channels.connection.write_buffer import WriteScheduler
from channels.contract.ports import Grant, Identity, Publication
from channels.contract.settings import LiveSettings
from channels.hub.hub import Hub
from channels.protocol.codec_json import JsonCodec
from channels.transports.graphql import SocketFormat
from channels.transports.websocket_format import WebSocketFormat
from storage.ids import slot_group

GROUP = "GraphQL: one publication to 400 sockets, for each delivery"
SOCKETS = 400
_TOPIC, _STREAM = "photo:03AM", "feed"
_EPOCH = "1f9a"
_LIKED = orjson.dumps({"type": "photo.liked", "photo_id": "03AM", "likes": 17, "comments": 3, "version": 41})


class _Transport:
    """The part of a transport that a connection with an open socket uses."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def get_extra_info(self, name: str) -> Any:
        return self._peer if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


class _Projection:
    def project(self, data: bytes) -> bytes:
        document = orjson.loads(data)
        return orjson.dumps({"data": {"photo": {"photoId": f"P-{document['photo_id']}", "likeCount": 17}}})


class _Crowd:
    """A hub, its sockets, and what reads them empty."""

    def __init__(self, opened: ExitStack, kind: type[Connection], wire_format: Any) -> None:
        scheduler = WriteScheduler(lambda _: None, linger=1)
        self.hub, self._clients, projection = Hub(scheduler, slot_group), [], _Projection()
        settings = LiveSettings()
        with socket.create_server(("127.0.0.1", 0), backlog=SOCKETS) as server:
            for user_id in range(SOCKETS):
                client = opened.enter_context(socket.create_connection(server.getsockname()))
                peer, _ = server.accept()
                opened.enter_context(peer).setblocking(False)
                core = kind.core_type(rate=1, burst=1, now=0)
                connection = kind(wire_format, _Transport(peer), core, scheduler, settings)  # type: ignore[arg-type]
                self.hub.join(connection, Identity(user_id=user_id, session="s", expires_at=1e12))
                connection.streams[_STREAM] = _read(StreamState(_STREAM, limit=10))
                if isinstance(connection, GraphqlConnection):
                    connection.begin()
                    on_stream = Operation(str(uuid.uuid4()), _STREAM, projection, _read(StreamState(_STREAM, limit=10)))
                    connection.begin_at(on_stream, _EPOCH)
                    for operation in (on_stream, Operation(str(uuid.uuid4()), _TOPIC, projection)):
                        connection.add(operation)
                self.hub.subscribe(connection, _TOPIC, Grant(topic=_TOPIC, owner_id=1))
                connection.write(b"x")  # from now on nothing waits, as after the reply to a connect
                self._clients.append(client)

    def read(self) -> None:
        for client in self._clients:
            client.recv(1 << 20)


def _read(state: StreamState) -> StreamState:
    state.epoch = _EPOCH
    state.release()
    return state


def _to_topic(crowd: _Crowd, _number: int) -> None:
    crowd.hub.deliver_topic(topic_channel(_TOPIC), Publication(data=_LIKED))


def _to_stream(crowd: _Crowd, number: int) -> None:
    crowd.hub.deliver(range(SOCKETS), _STREAM, Publication(data=_LIKED, offset=number))


async def measure(*, quick: bool) -> list[Figure]:
    """Return the microseconds for each delivery on a topic and on a stream, and their ratios."""
    runs = 5 if quick else 15
    await asyncio.sleep(0)
    figures = []
    with ExitStack() as opened:
        graphql = _Crowd(opened, GraphqlConnection, SocketFormat())
        centrifuge = _Crowd(opened, Connection, WebSocketFormat(JsonCodec()))
        for name, deliver in (("on a topic", _to_topic), ("on a stream", _to_stream)):
            ours, theirs = [], []
            for run in range(runs + 1):
                ours.append(_microseconds(graphql, deliver, run))
                theirs.append(_microseconds(centrifuge, deliver, run))
            # The first run fills caches.
            figures += [
                figure(GROUP, f"GraphQL {name}", "µs", ours[1:]),
                figure(GROUP, f"Centrifuge's JSON {name}", "µs", theirs[1:]),
                figure(
                    GROUP,
                    f"ratio {name}",
                    RATIO,
                    ratios(ours[1:], theirs[1:]),
                    at_most=1.1,
                    limit="the same bytes for all, which a protocol with ids of its clients cannot send",
                ),
            ]
    return figures


def _microseconds(crowd: _Crowd, deliver: Callable[[_Crowd, int], None], run: int) -> float:
    """Return the processor time of one delivery, over 20 publications."""
    total, publications = 0.0, 20
    for number in range(publications):
        crowd.read()
        before = time.process_time()
        deliver(crowd, 1 + run * publications + number)
        total += time.process_time() - before
    return total / publications / SOCKETS * 1e6
