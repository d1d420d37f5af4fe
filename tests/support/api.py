"""The HTTP API in this process, on real stores; no workers run, so tests finish photos themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from argon2 import PasswordHasher

from channels.bus.presence_store import PresenceStore
from channels.bus.publisher import LivePublisher
from server.api.services import Services
from server.composition.application import make_app
from server.composition.delivery import delivery_script
from server.composition.services import api_settings
from server.config.settings import Settings
from server.identity.passwords import Passwords
from server.identity.tokens import AccessTokens
from server.media.urls import MediaUrls
from storage import ids
from storage.blobs.file import FileBlobs
from storage.blobs.port import variant_key
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.home import Home
from storage.feeds.notification_log import NotificationLog
from storage.ids import slot_group
from storage.limits.quotas import Quotas
from storage.limits.tickets import Tickets
from storage.postgres.database import Database
from storage.redis.client import Redis
from storage.stores import photos
from tests.support.person import Person, Response

SECRET = b"a secret for tests, 32 bytes long"


def services_of(database: Database, redis: Redis, folder: Path, **settings: Any) -> Services:
    """Return the API's services on these engines, with quick password hashes."""
    cards, engagement = Cards(database, redis), CounterCache(database, redis)
    feeds = Feeds(database, redis, cards, delivery_script(redis))
    return Services(
        settings=dataclasses.replace(api_settings(_settings(folder)), **{"static_dir": None, **settings}),
        db=database,
        blobs=FileBlobs(folder / "blobs"),
        feeds=feeds,
        home=Home(database, redis, feeds, cards, engagement),
        notification_log=NotificationLog(redis, delivery_script(redis)),
        cards=cards,
        engagement=engagement,
        quotas=Quotas(redis),
        tickets=Tickets(redis),
        publisher=LivePublisher(redis, slot_group),
        presence=PresenceStore(redis, slot_group),
        passwords=Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
        media_urls=MediaUrls(SECRET),
    )


def _settings(folder: Path) -> Settings:
    settings = Settings().with_values("auth", secret=SECRET.decode())
    return settings.with_values("blobs", url=f"file:{folder / 'blobs'}")


class Api:
    """A running API and the people who use it."""

    def __init__(self, services: Services, server: TestServer, session: aiohttp.ClientSession) -> None:
        self.services = services
        self.session = session
        self.port = server.port or 0
        self.url = str(server.make_url("")).rstrip("/")
        self.tokens = AccessTokens(services.settings.secret)
        self.visitor = Person(session, self.url, "nobody")

    async def person(self, name: str | None = None) -> Person:
        """Sign somebody up."""
        return await Person.sign_up(self.session, self.url, name)

    async def get(self, path: str, **options: Any) -> Response:
        """Request a path outside the API without credentials."""
        async with self.session.get(self.url + path, **options) as response:
            return Response(response.status, response.headers, await response.read())

    async def finish(self, photo: dict[str, Any], *, width: int = 640, height: int = 427) -> None:
        """Do what the media worker does: make a variant and mark the photo ready."""
        photo_id = ids.decode(photo["id"])
        async with self.services.db.transaction() as tx:
            assert await photos.mark_ready(tx, photo_id, width=width, height=height, placeholder=None, exif=None)
        row = (await photos.load(self.services.db, [photo_id]))[photo_id]
        for name in ("thumb", "feed"):
            await self.services.blobs.put(variant_key(row.sha256, name), b"variant", content_type="image/jpeg")
        await self.services.cards.refresh(photo_id)


@asynccontextmanager
async def running_api(services: Services) -> AsyncIterator[Api]:
    """Serve the API on a free port of the loopback."""
    server = TestServer(make_app(services))
    await server.start_server(access_log=None, auto_decompress=False)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Api(services, server, session)
    finally:
        await server.close()
        services.passwords.close()


def with_limits(services: Services, **limits: str) -> Services:
    """Return the same services with other rate limits."""
    changed = dataclasses.replace(services.settings.limits, **limits)
    return dataclasses.replace(services, settings=dataclasses.replace(services.settings, limits=changed))
