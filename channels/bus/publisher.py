"""Publishing to users' live connections, and to the subscribers of a topic, from any process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from channels.bus.addressing import (
    EVERY_PROCESS,
    STAR_CHANNELS,
    channel_prefix,
    registry_key,
    topic_channel,
    user_field,
)
from channels.bus.envelope import (
    block_body,
    control_body,
    encode_envelope,
    owner_end_body,
    topic_body,
    topic_end_body,
)
from channels.bus.redis_client import RedisClient, Script, live_errors, publish
from channels.contract.causes import Stage, current_cause, reached

_CHUNK = 4000  # users per script call, so that Redis is not blocked for long


class LivePublisher:
    """Publishes to processes, not users: one message to each process that holds a recipient's connection.

    Delivery is at most once: users who are not connected do not receive it. What must not be missed is inserted into a
    log, whose script publishes it in the same step. All methods raise `LiveUnavailableError`.
    """

    def __init__(self, redis: RedisClient, group_of: Callable[[int], int]) -> None:
        self._redis = redis
        self._group_of = group_of
        self._send_script = Script(redis, "deliver.lua", "send.lua")

    async def to_users(self, user_ids: Iterable[int], body: bytes) -> int:
        """Send a body (see `channels.bus.envelope`) to these users; return how many are online."""
        by_group: dict[int, list[bytes]] = {}
        for user_id in user_ids:
            by_group.setdefault(self._group_of(user_id), []).append(user_field(user_id))
        online = 0
        with live_errors():
            for group, fields in by_group.items():
                for start in range(0, len(fields), _CHUNK):
                    arguments: list[Any] = [channel_prefix(group), body, *fields[start : start + _CHUNK]]
                    online += int(await self._send_script(keys=[registry_key(group)], args=arguments))
        return online

    async def to_followers_of_star(self, star_id: int, body: bytes) -> None:
        """Send a body to the connected followers of a star: one message for each slot group, however many they are."""
        message = encode_envelope([star_id], body)
        for channel in STAR_CHANNELS:
            await self._publish(channel, message)

    async def to_topic(self, name: str, data: bytes, *, author_ids: Sequence[int] = ()) -> None:
        """Send a JSON document to the subscribers of a topic.

        With `author_ids`, the users whose acts it shows, it reaches no user that a block separates from one of them.
        """
        body = topic_body(data, author_ids=author_ids, cause=current_cause())
        await self._publish(topic_channel(name), body)
        reached(Stage.PUBLISHED)

    async def to_process(self, process_id: bytes, body: bytes) -> bool:
        """Send an order to one process, without recipients; return whether the process lives."""
        channel = channel_prefix(0) + process_id  # a live process subscribes to the channels of all groups
        with live_errors():
            return bool(await publish(self._redis, channel, encode_envelope([], body)))

    async def close_topic(self, name: str) -> None:
        """End all subscriptions to a topic whose subject was deleted."""
        await self._publish(topic_channel(name), topic_end_body(spare_owner=False))

    async def restrict_topic(self, name: str) -> None:
        """End all subscriptions to a topic except its owner's, the only one permitted from now on."""
        await self._publish(topic_channel(name), topic_end_body(spare_owner=True))

    async def recheck_topic(self, name: str) -> None:
        """End all subscriptions to a topic except its owner's; clients subscribe again, if they still may."""
        await self._publish(topic_channel(name), topic_end_body(spare_owner=True, again=True))

    async def close_topics_of(self, owner_id: int, *, last: bytes = b"") -> None:
        """End all subscriptions to all topics of an owner that no longer exists; `last` is published on each before."""
        await self._to_every_process(owner_end_body(owner_id, spare_owner=False, last=last))

    async def restrict_topics_of(self, owner_id: int, *, order: str = "") -> None:
        """End all subscriptions to all topics of an owner except the owner's; permitted users subscribe again.

        With the same name in `order`, a repetition ends nothing in processes that have received the first.
        """
        await self._to_every_process(owner_end_body(owner_id, spare_owner=True, order=order))

    async def revoke(self, viewer_id: int, *, owner_id: int, topic: str | None = None) -> None:
        """End a user's subscriptions to an owner's topics: to all, or to one."""
        await self.to_users([viewer_id], control_body(control="revoke", owner=owner_id, topic=topic))

    async def recheck(self, viewer_id: int, *, owner_id: int, prefix: str) -> None:
        """End a user's subscriptions to an owner's topics whose names begin so; a client may subscribe again."""
        await self.to_users([viewer_id], control_body(control="revoke", owner=owner_id, prefix=prefix))

    async def separate(self, one_id: int, other_id: int, *, blocked: bool) -> None:
        """Separate two users after a block: neither receives the other's publications. With `blocked` False end that.

        A block also ends their subscriptions to each other's topics.
        """
        for user_id, separated_id in ((one_id, other_id), (other_id, one_id)):
            await self.to_users([user_id], block_body(separated_id, blocked=blocked))

    async def _to_every_process(self, body: bytes) -> None:
        # One message, since it is not known where a topic has subscribers, nor which topics of an owner have any.
        await self._publish(EVERY_PROCESS, encode_envelope([], body))

    async def _publish(self, channel: bytes, message: bytes) -> None:
        with live_errors():
            await publish(self._redis, channel, message)
