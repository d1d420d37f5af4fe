"""The fan-out and notify workers on real stores, with their events handled in order by the test itself."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import orjson

from channels.bus.publisher import LivePublisher
from server.composition.delivery import delivery_script
from storage import events
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.ids import slot_group
from storage.models import Photo, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores import likes, notifications
from tests.support.driver_commands import commands, driver_client
from tests.support.listener import Listener
from workers.jobs.fanout import FanoutHandlers
from workers.jobs.notify import NotifyHandlers

PROCESS = b"proc0001"


@dataclass(frozen=True)
class Told:
    """One message to a person: its stream and document, or the order that it is."""

    person: int
    offset: int
    body: Mapping[str, Any]

    @property
    def document(self) -> Any:
        """Return the JSON document of a publication."""
        return orjson.loads(self.body["data"])


class Stage:
    """Stores, handlers, and one live process that hears what they say."""

    def __init__(self, database: Database, redis: Any, *, chunk: int = 1000) -> None:
        self.database = database
        self.redis = redis
        self.cards = Cards(database, redis)
        self.engagement = CounterCache(database, redis)
        self.feeds = Feeds(database, redis, self.cards, delivery_script(redis))
        self.notification_log = NotificationLog(redis, delivery_script(redis))
        publisher = LivePublisher(redis, slot_group)
        self.fanout = FanoutHandlers(
            database,
            self.feeds,
            self.cards,
            self.engagement,
            publisher,
            sign=lambda path: f"{path}?signed",
            chunk=chunk,
        )
        self.notify = NotifyHandlers(database, self.notification_log, self.engagement, publisher)
        self._listener = Listener(redis, PROCESS)
        self._driver = driver_client(redis)
        self._topics = self._driver.pubsub(ignore_subscribe_messages=True)

    async def open(self) -> None:
        """Begin to hear topics."""
        await self._topics.psubscribe(b"topic:*")
        await self._topics.get_message(ignore_subscribe_messages=True, timeout=1)

    async def close(self) -> None:
        """Hear no more."""
        await self._listener.close()
        await self._topics.aclose()
        await self._driver.aclose()

    async def online(self, *people: User) -> None:
        """Let people be connected, with both of their streams open."""
        await self._listener.listen(*(person.id for person in people))
        for person in people:
            await self.feeds.position(person.id)
            await self.notification_log.position(person.id)

    async def told(self, person: User | None = None) -> list[Told]:
        """Return what live people, or one of them, were told since the last call."""
        messages = [
            Told(user_id, message.offset, msgpack.unpackb(message.body))
            for message in await self._listener.received()
            for user_id in message.user_ids
        ]
        return [message for message in messages if person is None or message.person == person.id]

    async def on_topics(self) -> list[tuple[str, Any]]:
        """Return what was said on topics since the last call: name and document, None for its end."""
        mark = uuid.uuid4().bytes
        await commands(self.redis).publish(b"topic:mark", mark)
        said: list[tuple[str, Any]] = []
        async with asyncio.timeout(5):
            while True:
                message = await self._topics.get_message(timeout=1)
                if message is None:
                    continue
                if message["data"] == mark:
                    return said
                content = msgpack.unpackb(message["data"])
                document = orjson.loads(content["data"]) if "data" in content else None
                said.append((message["channel"].decode().split(":", 2)[2], document))

    async def pump(self) -> list[str]:
        """Handle every event that waits, and those that come of it, in order; return "queue topic" of each."""
        handlers = {"fanout": self.fanout.handlers(), "notify": self.notify.handlers()}
        handled: list[str] = []
        while True:
            rows = await self.database.fetch("SELECT id, queue, topic, body FROM outbox ORDER BY id")
            if not rows:
                return handled
            for row in rows:
                if row["queue"] in handlers:
                    await handlers[row["queue"]][row["topic"]](events.decode(row["topic"], row["body"]))
                    handled.append(f"{row['queue']} {row['topic']}")
            await self.database.fetch("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in rows])

    async def feed(self, person: User) -> list[int]:
        """Return the ids in a person's feed in Redis, newest first; [] when there is none."""
        view = await self.feeds.log.read(person.id)
        return [] if view is None else [entry.id for entry in reversed(view.entries) if not entry.removed]

    async def like(self, person: User, photo: Photo) -> PhotoCounters:
        """Like a photo."""
        async with self.database.transaction() as tx:
            return await likes.add(tx, photo_id=photo.id, user_id=person.id)

    async def unlike(self, person: User, photo: Photo) -> PhotoCounters:
        """Take a like back."""
        async with self.database.transaction() as tx:
            return await likes.remove(tx, photo_id=photo.id, user_id=person.id)


def kinds(told: Sequence[Any]) -> list[str]:
    """Return the types of publications."""
    return [message.document["type"] for message in told]


async def quiet(stage: Stage, *present: User) -> None:
    """Let people be online and handle and forget what was said so far."""
    await stage.online(*present)
    await stage.pump()
    await stage.told()
    await stage.on_topics()


async def inbox(stage: Stage, owner: User) -> list[str]:
    """Return the sentences of an inbox, newest first."""
    return [entry.text for entry in await notifications.inbox(stage.database, owner.id, before=None, limit=20)]
