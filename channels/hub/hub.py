"""Index of this process's connections by user and by topic; no method blocks or awaits.

Closing a connection never removes it from the hub: the connection manager does that later, in a turn of its own.
Delivery can therefore iterate over live sets although a delivery may close connections.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from channels.bus.addressing import topic_channel
from channels.connection.connection import Connection
from channels.connection.stream_state import StreamState
from channels.connection.wire_format import SharedMessage
from channels.connection.write_buffer import WriteScheduler
from channels.contract.channels import PROJECTED
from channels.contract.ports import Grant, Identity, Publication
from channels.hub.block_lists import BlockLists
from channels.hub.pending_subscribes import PendingSubscribes
from channels.hub.star_followers import StarFollowers
from channels.protocol import codes
from channels.protocol.codes import Unsubscribed
from channels.protocol.messages import publication_push, unsubscribe_push

HeldStreams = dict[Connection, tuple[StreamState, ...]]


class Hub:
    """Index of this process's connections; routes messages to them. A message is encoded once per wire format.

    `group_of` maps a user id to its slot group.
    """

    def __init__(self, scheduler: WriteScheduler, group_of: Callable[[int], int]) -> None:
        self.scheduler = scheduler
        self._all: set[Connection] = set()
        self._by_user: dict[int, list[Connection]] = {}
        self._by_address: Counter[str] = Counter()
        self.empty = asyncio.Event()
        self.empty.set()
        # Pub/sub channel of a topic → channel name as the client wrote it → subscribers. One topic can have several
        # channel names, since an id can be written in more than one way, and a push repeats the client's own name.
        # Subscribers are dict keys, not a set, because a dict keeps the order of insertion. That is about the order
        # of the connections in memory, which costs a delivery to thousands the fewest cache misses.
        self._by_topic: dict[bytes, dict[str, dict[Connection, None]]] = {}
        # Owner → pub/sub channels of the owner's topics that have subscribers here.
        self._topics_of: dict[int, set[bytes]] = {}
        self.subscribes = PendingSubscribes()
        self.blocks = BlockLists()
        self.stars = StarFollowers(group_of)

    def __len__(self) -> int:
        return len(self._all)

    def all_connections(self) -> list[Connection]:
        """Return all connections, authenticated or not."""
        return list(self._all)

    def user_ids(self) -> list[int]:
        """Return the ids of all connected users."""
        return list(self._by_user)

    def has_user(self, user_id: int) -> bool:
        """Return whether a user has a connection here."""
        return user_id in self._by_user

    def has_connected_client(self, user_id: int) -> bool:
        """Return whether a connect of this user has been accepted here, on a connection that is still open."""
        return any(connection.core.connected for connection in self._by_user.get(user_id, ()))

    def open_connections(self, user_id: int) -> list[Connection]:
        """Return a user's connections, oldest first, without those that are closed or whose transport is gone."""
        return [
            connection
            for connection in self._by_user.get(user_id, ())
            if connection.closed_with is None and not connection.lost
        ]

    def count_at_address(self, address: str) -> int:
        """Return the number of connections from an address."""
        return self._by_address.get(address, 0)

    def has_subscribers(self, topic: bytes) -> bool:
        """Return whether a connection here is subscribed to the topic of a pub/sub channel."""
        return topic in self._by_topic

    def add(self, connection: Connection) -> None:
        """Add a connection that is not authenticated yet."""
        self._all.add(connection)
        self.empty.clear()
        self._by_address[connection.address] += 1

    def join(self, connection: Connection, identity: Identity) -> None:
        """Route the messages of a user to a connection from now on."""
        connection.identity = identity
        self._by_user.setdefault(identity.user_id, []).append(connection)

    def leave(self, connection: Connection) -> int | None:
        """Undo `join` and all subscriptions; return the user's id if this was the user's last connection."""
        for channel in list(connection.channels):
            self.unsubscribe(connection, channel)
        identity = connection.identity
        if identity is None:
            return None
        # Not listed any more if `leave` was called before, after a failed connect for instance.
        connections = self._by_user.get(identity.user_id, [])
        if connection in connections:
            connections.remove(connection)
            if not connections:
                del self._by_user[identity.user_id]
                self.blocks.forget(identity.user_id)
                self.stars.forget(identity.user_id)
                return identity.user_id
        return None

    def discard(self, connection: Connection) -> None:
        """Undo `add`."""
        self._all.discard(connection)
        self._by_address[connection.address] -= 1
        # A counter keeps zero entries, which would grow with every address ever seen.
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]
        if not self._all:
            self.empty.set()

    def subscribe(self, connection: Connection, channel: str, grant: Grant) -> None:
        """Subscribe a connection to a topic, under the channel name that its client uses."""
        topic = topic_channel(grant.topic)
        connection.channels[channel] = grant
        self._by_topic.setdefault(topic, {}).setdefault(channel, {})[connection] = None
        self._topics_of.setdefault(grant.owner_id, set()).add(topic)
        self.blocks.guard(connection, topic)

    def unsubscribe(self, connection: Connection, channel: str) -> None:
        """Undo `subscribe`; do nothing if the connection is not subscribed."""
        grant = connection.channels.pop(channel, None)
        if grant is None:
            return
        topic = topic_channel(grant.topic)
        # The same topic may be subscribed under another channel name as well.
        if not any(other.topic == grant.topic for other in connection.channels.values()):
            self.blocks.release(connection, topic)
        channels = self._by_topic.get(topic, {})
        if channel not in channels:
            return  # detached by a loss
        channels[channel].pop(connection, None)
        # Empty entries must go: `has_subscribers` decides by them whether pub/sub gives the topic up.
        if not channels[channel]:
            del channels[channel]
        if not channels:
            del self._by_topic[topic]
            self._topics_of[grant.owner_id].discard(topic)
            if not self._topics_of[grant.owner_id]:
                del self._topics_of[grant.owner_id]

    def detach_topics(self) -> None:
        """Deliver nothing to the present subscriptions any more; each is still to be ended.

        For a loss: a revocation may have been missed, and a topic may be subscribed again by another client before a
        connection's turn to be recovered comes.
        """
        self.subscribes.mark_all_in_doubt()
        self._by_topic.clear()
        self._topics_of.clear()
        self.blocks.clear()

    def deliver(self, user_ids: Collection[int], stream: str, item: Publication, *, more: bool = False) -> int:
        """Send a stream's publication to all connections of these users, and return their number.

        For `more` see `WriteScheduler.send_to_all`.
        """
        message = SharedMessage(publication_push(stream, item))
        # One comprehension over local names: this runs for every recipient of every publication.
        by_user = self._by_user
        ready = [
            connection
            for user_id in user_ids
            for connection in by_user.get(user_id, ())
            if connection.accepts(stream, item.offset, message)
        ]
        self.scheduler.send_to_all(ready, message, more=more)
        return len(ready)

    def deliver_topic(
        self, topic: bytes, item: Publication, *, author_ids: Collection[int] = (), more: bool = False
    ) -> int:
        """Send a topic's publication to its subscribers, except those that a block separates from one of its authors.

        Returns their number; for `more` see `WriteScheduler.send_to_all`.
        """
        number = 0
        self.subscribes.mark_changed(topic)
        excluded = self.blocks.excluded(topic, author_ids)
        for channel, subscribers in self._by_topic.get(topic, {}).items():
            message = SharedMessage(publication_push(channel, item))
            # Usually there is no one to exclude, and the dict is passed on without a copy.
            recipients = [other for other in subscribers if other not in excluded] if excluded else subscribers
            if channel.startswith(PROJECTED):
                for connection in recipients:
                    connection.send_shared(message)
            else:
                self.scheduler.send_to_all(recipients, message, more=more)
            number += len(recipients)
        return number

    def close_topic(self, topic: bytes, *, spare_owner: bool = False, again: bool = False) -> None:
        """End all subscriptions to a topic, or all but the owner's; with `again` clients may subscribe again."""
        self.subscribes.mark_changed(topic)
        code = Unsubscribed.INSUFFICIENT if again else Unsubscribed.SERVER
        # Copies, since ending a subscription removes it from both dicts.
        for channel, subscribers in list(self._by_topic.get(topic, {}).items()):
            ended = [
                connection
                for connection in subscribers
                if not (spare_owner and _is_owner(connection, connection.channels[channel]))
            ]
            for connection in ended:
                self.unsubscribe(connection, channel)
            # One message for all: a popular topic has thousands of subscribers, written to over several turns.
            if ended:
                self.scheduler.send_to_all(ended, SharedMessage(unsubscribe_push(channel, code)))

    def close_topics_of(self, owner_id: int, *, spare_owner: bool = False, last: Publication | None = None) -> None:
        """End all subscriptions to all topics of an owner, or all but the owner's own; `last` is delivered before."""
        self.subscribes.mark_revoked(owner_id)
        for topic in list(self._topics_of.get(owner_id, ())):
            if last is not None:
                self.deliver_topic(topic, last)
            self.close_topic(topic, spare_owner=spare_owner)

    def end_subscription(self, connection: Connection, channel: str, code: Unsubscribed) -> None:
        """End one subscription and push the reason to the client."""
        self.unsubscribe(connection, channel)
        connection.send(unsubscribe_push(channel, code))

    def revoke(
        self, user_ids: Iterable[int], owner_id: int, topic: str | None = None, *, prefix: str | None = None
    ) -> None:
        """End these users' subscriptions to the owner's topics, or to the one `topic`.

        With `prefix` it is those whose names begin so, and clients may subscribe again. Subscribes that are being
        authorized are affected too.
        """
        code = Unsubscribed.SERVER if prefix is None else Unsubscribed.INSUFFICIENT
        for user_id in user_ids:
            for connection in self._by_user.get(user_id, ()):
                self.subscribes.mark_revoked(owner_id, connection)
                for channel, grant in list(connection.channels.items()):
                    wanted = grant.owner_id == owner_id and topic in {None, grant.topic}
                    if wanted and grant.topic.startswith(prefix or ""):
                        self.end_subscription(connection, channel, code)

    def block(self, user_ids: Iterable[int], other_id: int) -> None:
        """Separate users from another: end their subscriptions to the other's topics, and exclude the other's work."""
        for user_id in user_ids:
            self.revoke([user_id], other_id)
            self.blocks.add(user_id, other_id)
            for connection in self._by_user.get(user_id, ()):
                self.subscribes.mark_in_doubt(connection)
                for grant in connection.channels.values():
                    self.blocks.guard(connection, topic_channel(grant.topic))

    def unblock(self, user_ids: Iterable[int], other_id: int) -> None:
        """Undo `block`, except for the subscriptions that it ended."""
        for user_id in user_ids:
            self.blocks.remove(user_id, other_id)
            for connection in self._by_user.get(user_id, ()):
                self.subscribes.mark_in_doubt(connection)

    def set_stars(self, user_id: int, stars: Iterable[int]) -> None:
        """Set the stars that a user follows, unless the user's last connection has ended meanwhile."""
        if self.has_user(user_id):
            self.stars.replace(user_id, stars)

    def change_star(self, user_ids: Iterable[int], star: int, *, following: bool) -> None:
        """Deliver to these users what a star publishes from now on, or do not any more."""
        for user_id in user_ids:
            if self.has_user(user_id):
                self.stars.change(user_id, star, following=following)

    def disconnect(self, user_ids: Iterable[int], session: str | None) -> None:
        """Close these users' connections: those of one session, or all for None."""
        for user_id in user_ids:
            for connection in self._by_user.get(user_id, ()):
                if session is None:
                    connection.close(codes.FORCED)
                elif connection.identity is not None and connection.identity.session == session:
                    connection.close(codes.INVALID_TOKEN)

    def hold(self, user_ids: Iterable[int] | None = None, *, already_held: HeldStreams | None = None) -> HeldStreams:
        """Hold the streams of these users, or of all; return the held connections, each to be released once.

        Connections in `already_held` with the same streams are left out.
        """
        held: HeldStreams = {}
        for user_id in self._by_user if user_ids is None else user_ids:
            for connection in self._by_user.get(user_id, ()):
                states = tuple(connection.streams.values())
                # A client that connected again on the same connection has new states, which are not held yet.
                if already_held is not None and already_held.get(connection) == states:
                    continue
                for state in states:
                    state.hold()
                held[connection] = states
        return held


def _is_owner(connection: Connection, grant: Grant) -> bool:
    return connection.identity is not None and connection.identity.user_id == grant.owner_id
