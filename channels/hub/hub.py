"""This process's connections, by person and by topic; every method returns at once.

Iteration is always over a copy or over something that delivery cannot change, since closing a
connection never takes it out of the hub: its handler does, when it ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from channels.bus.addressing import topic_channel
from channels.connection.connection import Connection
from channels.connection.stream_state import StreamState
from channels.connection.wire_format import SharedMessage
from channels.connection.write_buffer import WriteScheduler
from channels.contract.ports import Grant, Identity, Publication
from channels.protocol import codes
from channels.protocol.codes import Unsubscribed
from channels.protocol.messages import publication_push, unsubscribe_push

HeldStreams = dict[Connection, tuple[StreamState, ...]]


@dataclass(slots=True)
class ChangeFlag:
    """Whether anything was said on a topic since."""

    changed: bool = False


class Hub:
    """Find connections and hand them what they should hear; a message is encoded once per codec."""

    def __init__(self, scheduler: WriteScheduler) -> None:
        self.scheduler = scheduler
        self._all: set[Connection] = set()
        self._by_user: dict[int, list[Connection]] = {}
        self._by_address: Counter[str] = Counter()
        self.empty = asyncio.Event()
        self.empty.set()
        # Topic's pub/sub channel → the channel as the client spelt it → who listens.
        # They stand in the order in which they came, which is that of memory and costs the fewest cache misses.
        self._by_topic: dict[bytes, dict[str, dict[Connection, None]]] = {}
        self._watches: dict[bytes, list[ChangeFlag]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def all_connections(self) -> list[Connection]:
        """Return all connections, signed in or not."""
        return list(self._all)

    def user_ids(self) -> list[int]:
        """Return everybody who is connected here."""
        return list(self._by_user)

    def has_user(self, user_id: int) -> bool:
        """Tell whether a person is connected here."""
        return user_id in self._by_user

    def has_connected_client(self, user_id: int) -> bool:
        """Tell whether a person has a connection here that is not still being let in."""
        return any(connection.core.connected for connection in self._by_user.get(user_id, ()))

    def count_of_user(self, user_id: int) -> int:
        """Return how many connections a person has here, without those that are on their way out."""
        return sum(not connection.lost for connection in self._by_user.get(user_id, ()))

    def count_at_address(self, address: str) -> int:
        """Return how many connections come from an address."""
        return self._by_address.get(address, 0)

    def has_subscribers(self, topic: bytes) -> bool:
        """Tell whether anybody here listens to a topic's channel."""
        return topic in self._by_topic

    def add(self, connection: Connection) -> None:
        """Add a connection that has not signed in."""
        self._all.add(connection)
        self.empty.clear()
        self._by_address[connection.address] += 1

    def join(self, connection: Connection, identity: Identity) -> None:
        """Let a connection hear what is for its person."""
        connection.identity = identity
        self._by_user.setdefault(identity.user_id, []).append(connection)

    def leave(self, connection: Connection) -> int | None:
        """Undo `join` and all subscriptions; return the person's id if that was the last connection."""
        for channel in list(connection.channels):
            self.unsubscribe(connection, channel)
        identity = connection.identity
        if identity is None:
            return None
        connections = self._by_user.get(identity.user_id, [])
        if connection in connections:
            connections.remove(connection)
            if not connections:
                del self._by_user[identity.user_id]
                return identity.user_id
        return None

    def discard(self, connection: Connection) -> None:
        """Undo `open`."""
        self._all.discard(connection)
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]
        if not self._all:
            self.empty.set()

    def subscribe(self, connection: Connection, channel: str, grant: Grant) -> None:
        """Let a connection hear a topic, under the name that its client uses."""
        connection.channels[channel] = grant
        self._by_topic.setdefault(topic_channel(grant.topic), {}).setdefault(channel, {})[connection] = None

    def unsubscribe(self, connection: Connection, channel: str) -> None:
        """Undo `subscribe`; nothing happens where there was none."""
        grant = connection.channels.pop(channel, None)
        if grant is None:
            return
        topic = topic_channel(grant.topic)
        channels = self._by_topic[topic]
        channels[channel].pop(connection, None)
        if not channels[channel]:
            del channels[channel]
        if not channels:
            del self._by_topic[topic]

    @contextmanager
    def watch_topic(self, topic: bytes) -> Iterator[ChangeFlag]:
        """Note whether something is said on a topic meanwhile, whoever listens."""
        flag = ChangeFlag()
        self._watches.setdefault(topic, []).append(flag)
        try:
            yield flag
        finally:
            self._watches[topic].remove(flag)
            if not self._watches[topic]:
                del self._watches[topic]

    def deliver(self, user_ids: Sequence[int], stream: str, item: Publication, *, more: bool = False) -> None:
        """Hand a stream's publication to all connections of these people; see `WriteScheduler.send_to_all`."""
        message = SharedMessage(publication_push(stream, item))
        by_user = self._by_user
        ready = [
            connection
            for user_id in user_ids
            for connection in by_user.get(user_id, ())
            if connection.accepts(stream, item.offset, message)
        ]
        self.scheduler.send_to_all(ready, message, more=more)

    def deliver_topic(self, topic: bytes, item: Publication, *, more: bool = False) -> None:
        """Hand a topic's publication to who listens; see `WriteScheduler.send_to_all`."""
        self._mark_changed(topic)
        for channel, subscribers in self._by_topic.get(topic, {}).items():
            self.scheduler.send_to_all(subscribers, SharedMessage(publication_push(channel, item)), more=more)

    def close_topic(self, topic: bytes, *, spare_owner: bool = False) -> None:
        """End all subscriptions to a topic, or all but its owner's."""
        self._mark_changed(topic)
        for channel, subscribers in list(self._by_topic.get(topic, {}).items()):
            for connection in list(subscribers):
                if not (spare_owner and _is_owner(connection, connection.channels[channel])):
                    self.end_subscription(connection, channel, Unsubscribed.SERVER)

    def end_subscription(self, connection: Connection, channel: str, code: Unsubscribed) -> None:
        """End one subscription and tell the client why."""
        self.unsubscribe(connection, channel)
        connection.send(unsubscribe_push(channel, code))

    def revoke(self, user_ids: Iterable[int], owner_id: int, topic: str | None = None) -> None:
        """End these people's subscriptions to what belongs to the owner, also those being authorized now.

        Only those to one topic where `topic` names it.
        """
        for user_id in user_ids:
            for connection in self._by_user.get(user_id, ()):
                if connection.revoked is not None:
                    connection.revoked.add(owner_id)
                for channel, grant in list(connection.channels.items()):
                    if grant.owner_id == owner_id and topic in {None, grant.topic}:
                        self.end_subscription(connection, channel, Unsubscribed.SERVER)

    def disconnect(self, user_ids: Iterable[int], session: str | None) -> None:
        """Close these people's connections: those of one session, or all when None."""
        for user_id in user_ids:
            for connection in self._by_user.get(user_id, ()):
                if session is None:
                    connection.close(codes.FORCED)
                elif connection.identity is not None and connection.identity.session == session:
                    connection.close(codes.INVALID_TOKEN)

    def hold(self, user_ids: Iterable[int] | None = None, *, already_held: HeldStreams | None = None) -> HeldStreams:
        """Hold back the streams of these people, or of all; return what is to be released.

        Connections that stand in `but` with the same streams are held already and are left out.
        """
        held: HeldStreams = {}
        for user_id in self._by_user if user_ids is None else user_ids:
            for connection in self._by_user.get(user_id, ()):
                states = tuple(connection.streams.values())
                if already_held is not None and already_held.get(connection) == states:
                    continue
                for state in states:
                    state.hold()
                held[connection] = states
        return held

    def _mark_changed(self, topic: bytes) -> None:
        for flag in self._watches.get(topic, ()):
            flag.changed = True


def _is_owner(connection: Connection, grant: Grant) -> bool:
    return connection.identity is not None and connection.identity.user_id == grant.owner_id
