"""The HTTP API in this process, on real stores. No workers run, so that tests finish photos themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from argon2 import PasswordHasher

from channels.bus.presence_store import PresenceStore
from channels.bus.publisher import LivePublisher
from server.api.services import Services
from server.composition.application import make_app
from server.composition.backends import Stores, variant_registry
from server.composition.delivery import delivery_script
from server.composition.services import api_services
from server.config.settings import Settings
from server.identity.new_accounts import COMMENTS, FOLLOWS, UPLOADS
from server.identity.passwords import Passwords
from server.identity.tokens import AccessTokens
from storage import ids
from storage.blobs.file import FileBlobs
from storage.blobs.keys import variant_key
from storage.blobs.port import Blobs
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.ids import slot_group
from storage.postgres.database import Database
from storage.postgres.fallback import DatabaseFallback
from storage.postgres.reads import PrimaryReads
from storage.redis.client import Redis
from storage.stores.photos import photo_processing, photos
from storage.stores.photos.photo_items import pictures_of
from tests.support.api_user import ApiUser, Response
from tests.support.community import decoded_items

SECRET = b"a secret for tests, 32 bytes long"


@dataclass(frozen=True, kw_only=True)
class InspectableServices(Services):
    """The API's services and the stores behind them, for tests that inspect or change these."""

    base: Settings
    stores: Stores
    passwords: Passwords


def services_of(database: Database, redis: Redis, folder: Path) -> InspectableServices:
    """Return the API's services on these engines, with quick password hashes and without the web application."""
    settings = Settings().with_values("auth", secret=SECRET.decode())
    # All accounts of tests are new.
    settings = settings.with_values("limits", **dict.fromkeys((UPLOADS, COMMENTS, FOLLOWS), "1000000/m"))
    settings = settings.with_values("blobs", url=f"file:{folder / 'blobs'}")
    cards = Cards(database, redis)
    stores = Stores(
        db=database,
        reads=PrimaryReads(database),
        redis=redis,
        blobs=FileBlobs(folder / "blobs"),
        cards=cards,
        counter_cache=CounterCache(database, redis),
        feeds=Feeds(database, redis, cards, delivery_script(redis)),
        notification_log=NotificationLog(redis, delivery_script(redis)),
        publisher=LivePublisher(redis, slot_group),
        presence=PresenceStore(redis, slot_group),
        fallback=DatabaseFallback(database),
    )
    return _build(settings, stores, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)))


def with_limits(services: InspectableServices, **limits: str) -> InspectableServices:
    """Return the same services with other rate limits."""
    return _build(services.base.with_values("limits", **limits), services.stores, services.passwords)


def with_accounts(services: InspectableServices, **accounts: int) -> InspectableServices:
    """Return the same services with other settings of the section `[accounts]`."""
    return _build(services.base.with_values("accounts", **accounts), services.stores, services.passwords)


def with_providers(services: InspectableServices, *providers: Any) -> InspectableServices:
    """Return the same services with sign-in with providers, which are tables of the settings."""
    return _build(
        services.base.with_values("oidc", providers=providers, timeout=5), services.stores, services.passwords
    )


def with_moderation(services: InspectableServices, **moderation: Any) -> InspectableServices:
    """Return the same services with other settings of moderation."""
    return _build(services.base.with_values("moderation", **moderation), services.stores, services.passwords)


def with_media(services: InspectableServices, **media: Any) -> InspectableServices:
    """Return the same services with other settings of images."""
    base = services.base.with_values("media", **media)
    cards = Cards(services.stores.db, services.stores.redis, variant_registry(base))
    return _build(base, dataclasses.replace(services.stores, cards=cards), services.passwords)


def with_push(services: InspectableServices, **push: Any) -> InspectableServices:
    """Return the same services with other settings of push messages."""
    return _build(services.base.with_values("push", **push), services.stores, services.passwords)


def with_outbound(services: InspectableServices, **outbound: Any) -> InspectableServices:
    """Return the same services with other settings of requests to addresses of users."""
    return _build(services.base.with_values("outbound", **outbound), services.stores, services.passwords)


def with_blobs(services: InspectableServices, blobs: Blobs, **settings: Any) -> InspectableServices:
    """Return the same services with another blob store, and other settings of the section `[blobs]`."""
    base = services.base.with_values("blobs", **settings)
    return _build(base, dataclasses.replace(services.stores, blobs=blobs), services.passwords)


def with_passwords(services: InspectableServices, passwords: Passwords) -> InspectableServices:
    """Return the same services with another hasher of passwords."""
    return _build(services.base, services.stores, passwords)


def _build(settings: Settings, stores: Stores, passwords: Passwords) -> InspectableServices:
    built = api_services(settings, stores, passwords)
    # A busy machine takes longer for a search than a service may.
    settings_of_tests = dataclasses.replace(built.settings, static_dir=None, search_timeout=30.0)
    built = dataclasses.replace(built, settings=settings_of_tests)
    parts = {field.name: getattr(built, field.name) for field in dataclasses.fields(built)}
    return InspectableServices(base=settings, stores=stores, passwords=passwords, **parts)


class Api:
    """A running API, and its users."""

    def __init__(self, services: InspectableServices, server: TestServer, session: aiohttp.ClientSession) -> None:
        self.services = services
        self.session = session
        self.port = server.port or 0
        self.url = str(server.make_url("")).rstrip("/")
        self.tokens = AccessTokens(services.settings.secret, ttl=900)
        self.visitor = ApiUser(session, self.url, "nobody")

    async def user(self, name: str | None = None) -> ApiUser:
        """Sign a user up."""
        return await ApiUser.sign_up(self.session, self.url, name)

    async def get(self, path: str, **options: Any) -> Response:
        """Request a path outside the API without credentials."""
        async with self.session.get(self.url + path, **options) as response:
            return Response(response.status, response.headers, await response.read())

    async def finish(self, photo: dict[str, Any], *, width: int = 640, height: int = 427, **more: Any) -> None:
        """Do what the media worker does: make the eager variants and mark the photo ready."""
        photo_id = ids.decode(photo["id"])
        row = (await photos.load(self.services.db, [photo_id]))[photo_id]
        items = decoded_items(row)
        async with self.services.db.transaction() as tx:
            assert await photo_processing.mark_ready(
                tx, photo_id, width=width, height=height, placeholder=None, exif=None, items=items, **more
            )
        for picture in pictures_of(row):
            for variant in self.services.variants.eager_variants:
                key = variant_key(picture.sha256, self.services.variants.recipe, variant.name)
                await self.services.blobs.put(key, b"variant", content_type=variant.content_type)
        await self.services.stores.cards.refresh(photo_id)


class _Server(TestServer):
    """A server that lets handlers go on when their connection is lost, as `server.operation` does.

    It reads on for a second only when a body is refused, so that the end of a test does not wait for ten.
    """

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        return web.AppRunner(self.app, **{**options, "handler_cancellation": False, "lingering_time": 1.0})


@asynccontextmanager
async def running_api(services: InspectableServices) -> AsyncIterator[Api]:
    """Serve the API on a free port of the loopback."""
    server = _Server(make_app(services))
    await server.start_server(access_log=None, auto_decompress=False)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Api(services, server, session)
    finally:
        await server.close()
