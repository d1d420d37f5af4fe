"""The workers "fanout", "notify" and "bulk" on real stores; the test itself handles their events, in order."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import orjson

from channels.bus.addressing import EVERY_PROCESS
from channels.bus.envelope import decode_envelope
from channels.bus.publisher import LivePublisher
from server.composition.delivery import delivery_script
from storage import events
from storage.blobs.file import FileBlobs
from storage.blobs.port import Blobs
from storage.blobs.variants import VariantRegistry
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.cache.photo_trends import PhotoTrends
from storage.cache.tag_trends import TagTrends
from storage.cache.variant_states import VariantStates
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.ids import slot_group
from storage.limits.quotas import Quotas
from storage.limits.recent import RecentMembers
from storage.limits.tickets import Tickets
from storage.models import Photo, PhotoCounters, User
from storage.postgres.database import Database
from storage.stores.notifications import notifications
from storage.stores.photos import likes
from tests.support.driver_commands import commands, driver_client
from tests.support.eventually import DEADLINE
from tests.support.listener import Listener
from workers.handlers import EventOrigin, handling
from workers.images.limits import DecoderLimits
from workers.jobs.bulk.bulk import bulk_handlers
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.feeds.fanout import FanoutHandlers
from workers.jobs.feeds.stars import Stars
from workers.jobs.inbox.bells import BellHandlers
from workers.jobs.inbox.comments import CommentHandlers
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.moderation_notices import ModerationNotices
from workers.jobs.inbox.notify import NotifyHandlers, notify_handlers
from workers.jobs.live.sessions import SessionRevoker
from workers.jobs.metrics import StarMetrics

PROCESS = b"proc0001"


@dataclass(frozen=True)
class Delivery:
    """One message to a user's connections: a stream and a document, or a control message."""

    user_id: int
    offset: int
    body: Mapping[str, Any]

    @property
    def document(self) -> Any:
        """Return the JSON document of a publication."""
        return orjson.loads(self.body["data"])


class Stage:
    """Stores, handlers, and one live process that receives their publications."""

    def __init__(
        self,
        database: Database,
        redis: Any,
        *,
        chunk: int = 1000,
        blobs: Blobs | None = None,
        star_followers: int = 100_000,
        star_metrics: StarMetrics | None = None,
    ) -> None:
        self.database = database
        self.blobs = blobs or FileBlobs(Path(tempfile.gettempdir()) / "picshare-stage")  # never written to
        self.redis = redis
        self.cards = Cards(database, redis)
        self.counter_cache = CounterCache(database, redis)
        self.feeds = Feeds(database, redis, self.cards, delivery_script(redis))
        self.notification_log = NotificationLog(redis, delivery_script(redis))
        self.publisher = publisher = LivePublisher(redis, slot_group)
        self.stars = Stars(database, self.feeds, followers=star_followers, metrics=star_metrics, chunk=chunk)
        self.fanout = FanoutHandlers(
            database,
            self.feeds,
            self.cards,
            self.counter_cache,
            publisher,
            stars=self.stars,
            sign=lambda _: "signed",
            chunk=chunk,
        )
        inbox = Inbox(database, self.notification_log)
        self.notify = NotifyHandlers(database, inbox, self.counter_cache, publisher)
        self.comments = CommentHandlers(database, inbox, self.counter_cache, publisher)
        self.bells = BellHandlers(database, inbox)
        self.notices = ModerationNotices(database, inbox, limit=chunk)
        context = WorkerContext(
            variants=VariantRegistry(),
            variant_states=VariantStates(redis),
            quotas=Quotas(redis),
            recent=RecentMembers(redis),
            tag_trends=TagTrends(redis),
            photo_trends=PhotoTrends(redis),
            concurrency=1,
            db=database,
            blobs=self.blobs,
            cards=self.cards,
            counter_cache=self.counter_cache,
            feeds=self.feeds,
            notification_log=self.notification_log,
            publisher=publisher,
            sessions=SessionRevoker(Tickets(redis), publisher, access_ttl=900),
            star_followers=star_followers,
            sign=lambda _: "signed",
            decoder_limits=DecoderLimits(),
        )
        self.bulk: Handlers = bulk_handlers(context, self.fanout)
        self.deliver: Handlers = {}  # set by tests of deliveries
        self._listener = Listener(redis, PROCESS, stars=True)
        self._driver = driver_client(redis)
        self._topics = self._driver.pubsub(ignore_subscribe_messages=True)
        self.authors: list[list[int]] = []
        self.seen: list[str] = []  # topics of the events that `pump` took from the outbox, one for each queue

    async def open(self) -> None:
        """Subscribe to the topics."""
        await self._topics.subscribe(EVERY_PROCESS)
        await self._topics.get_message(ignore_subscribe_messages=True, timeout=1)
        await self._topics.psubscribe(b"topic:*")
        await self._topics.get_message(ignore_subscribe_messages=True, timeout=1)

    async def close(self) -> None:
        """Unsubscribe."""
        await self._listener.close()
        await self._topics.aclose()
        await self._driver.aclose()

    async def online(self, *users: User) -> None:
        """Register users as connected, with both of their streams open."""
        await self._listener.listen(*(user.id for user in users))
        for user in users:
            await self.feeds.position(user.id)
            await self.notification_log.position(user.id)

    async def deliveries(self, user: User | None = None) -> list[Delivery]:
        """Return the messages to connected users, or to one of them, since the last call."""
        messages = [
            Delivery(user_id, message.offset, msgpack.unpackb(message.body))
            for message in await self._listener.received()
            for user_id in message.user_ids
        ]
        return [message for message in messages if user is None or message.user_id == user.id]

    async def topic_publications(self) -> list[tuple[str, Any]]:
        """Return the publications on topics since the last call: name and document, None for a closed topic.

        An order to all processes has the name "*" and is decoded. `authors` are those of the publications.
        """
        self.authors = []
        mark = uuid.uuid4().bytes
        await commands(self.redis).publish(b"topic:mark", mark)
        published: list[tuple[str, Any]] = []
        async with asyncio.timeout(DEADLINE):
            while True:
                message = await self._topics.get_message(timeout=1)
                if message is None:
                    continue
                if message["data"] == mark:
                    return published
                if message["channel"] == EVERY_PROCESS:
                    published.append(("*", decode_envelope(message["data"]).body))
                    continue
                content = msgpack.unpackb(message["data"])
                self.authors.append(content.get("authors") or [content["author"]] if "author" in content else [])
                document = orjson.loads(content["data"]) if "data" in content else None
                published.append((message["channel"].decode().split(":", 2)[2], document))

    async def pump(self) -> list[str]:
        """Handle all events in the outbox, and those that they cause, in order; return "queue topic" of each."""
        handlers = {
            "fanout": self.fanout.handlers(),
            "notify": {**notify_handlers(self.notify, self.comments, self.bells), **self.notices.handlers()},
            "bulk": self.bulk,
            **({"deliver": self.deliver} if self.deliver else {}),
        }
        handled: list[str] = []
        while True:
            rows = await self.database.fetch(
                "SELECT id, queue, event_id, topic, body, available_at FROM outbox ORDER BY id"
            )
            if not rows:
                return handled
            for row in rows:
                self.seen.append(row["topic"])
                if row["queue"] in handlers:
                    with handling(EventOrigin(id=str(row["event_id"]), due_at=row["available_at"])):
                        await handlers[row["queue"]][row["topic"]](events.decode(row["topic"], row["body"]))
                    handled.append(f"{row['queue']} {row['topic']}")
            await self.database.fetch("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in rows])

    async def feed(self, user: User) -> list[int]:
        """Return the ids in a user's feed in Redis, newest first; [] without a feed."""
        view = await self.feeds.log.read(user.id)
        return [] if view is None else [entry.id for entry in reversed(view.entries) if not entry.removed]

    async def like(self, user: User, photo: Photo) -> PhotoCounters:
        """Like a photo."""
        async with self.database.transaction() as tx:
            return await likes.add(tx, photo_id=photo.id, user_id=user.id)

    async def unlike(self, user: User, photo: Photo) -> PhotoCounters:
        """Remove a like."""
        async with self.database.transaction() as tx:
            return await likes.remove(tx, photo_id=photo.id, user_id=user.id)


def kinds(deliveries: Sequence[Any]) -> list[str]:
    """Return the types of publications."""
    return [message.document["type"] for message in deliveries]


async def start_clean(stage: Stage, *users: User) -> None:
    """Connect users, handle all events, and drop the publications so far."""
    await stage.online(*users)
    await stage.pump()
    await stage.deliveries()
    await stage.topic_publications()


async def inbox(stage: Stage, owner: User) -> list[str]:
    """Return the sentences of an inbox, newest first."""
    return [entry.text for entry in await notifications.inbox(stage.database, owner.id, before=None, limit=20)]
