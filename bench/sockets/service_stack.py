"""The real service around the live layer: PostgreSQL, Redis, an author with many followers, and the fan-out handler."""

from __future__ import annotations

import itertools
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.cores import Cores
from bench.followers import create_author
from bench.sockets.client.live_clients import LiveClients
from bench.sockets.client.remote import Remote, remote
from bench.sockets.machine.processes import run_redis, run_server
from bench.sockets.server_process import OPENING, command, is_ready
from server.composition.backends import Stores, open_stores
from server.composition.signing import secret_bytes
from server.composition.workers import worker_context
from server.config.loading import load_settings
from server.config.settings import DELIMITER, PREFIX, Settings
from server.identity.tokens import AccessTokens
from storage import events
from storage.embedded.postgres import embedded_postgres
from storage.events import FanoutChunk, PhotoReady
from storage.ids import shard_of
from storage.models import Role
from storage.postgres.migrate import migrate
from storage.stores.photos import photo_processing, photos
from tests.engines.private import free_port
from workers.jobs.context import Handlers, open_handlers
from workers.jobs.feeds.photo_feeds import CHUNK
from workers.registry import WORKERS

SETTLED = 7.0  # seconds until a feed that was just built is inserted into like any other
_TOKEN_SECONDS = 24 * 3600
_TAKE = "DELETE FROM outbox WHERE topic = $1 RETURNING topic, body"


@dataclass(frozen=True, kw_only=True)
class ServerUnderTest:
    """The live server under test."""

    pid: int
    port: int


Launch = Callable[..., AbstractAsyncContextManager[ServerUnderTest]]  # a module's name and its arguments


class ServiceStack:
    """The running service with an `author` and `followers` (ids); `live` is the server under test."""

    def __init__(
        self,
        *,
        stores: Stores,
        settings: Settings,
        live: ServerUnderTest,
        handlers: Handlers,
        author: int,
        followers: list[int],
        launch: Launch,
    ) -> None:
        self._launch = launch
        self.stores = stores
        self.live = live
        self.author = author
        self.followers = followers
        self._tokens = AccessTokens(secret_bytes(settings), ttl=_TOKEN_SECONDS)
        self._handlers = handlers
        self._photos = itertools.count()
        self._sessions = itertools.count()

    def tokens(self, users: Sequence[int]) -> list[str]:
        """Return a new access token for each user; the server has not seen any of them."""
        session = f"bench{next(self._sessions)}"
        return [self._tokens.issue(user_id=user, session=session, role=Role.USER) for user in users]

    async def new_photo(self, author: int | None = None) -> int:
        """Insert a photo of an author, by default `author`, as the media worker leaves it; return its id."""
        async with self.stores.db.transaction() as tx:
            photo = await photos.create(
                tx,
                author_id=author or self.author,
                sha256=f"{next(self._photos):064x}",
                content_type="image/jpeg",
                bytes=3_000_000,
                width=4000,
                height=3000,
                caption="Evening light",
                alt_text="A temple",
                tags=(),
                location=None,
            )
            await photo_processing.mark_ready(tx, photo.id, width=4000, height=3000, placeholder=None, exif={})
        return photo.id

    async def fan_out(self, photo_id: int) -> None:
        """Handle all chunks of a photo as the fan-out worker does; return when all of them are in Redis."""
        ordered = sorted((shard_of(follower), follower) for follower in self.followers)
        ends = [*ordered[CHUNK - 1 : -1 : CHUNK], ordered[-1]]
        for after, until in zip([(-1, -1), *ends[:-1]], ends, strict=True):
            await self._handlers[FanoutChunk.topic](
                FanoutChunk(
                    photo_id=photo_id,
                    author_id=self.author,
                    remove=False,
                    after_shard=after[0],
                    after_id=after[1],
                    until_shard=until[0],
                    until_id=until[1],
                )
            )

    async def publish(self, photo_id: int, author: int) -> float:
        """Handle all events of a new photo as the fan-out worker does; return the seconds of the first one."""
        await self.stores.db.fetch("DELETE FROM outbox")
        started = time.perf_counter()
        await self._handlers[PhotoReady.topic](PhotoReady(photo_id=photo_id, author_id=author))
        first = time.perf_counter() - started
        while rows := await self.stores.db.fetch(_TAKE, FanoutChunk.topic):
            for row in rows:
                await self._handlers[FanoutChunk.topic](events.decode(row["topic"], row["body"]))
        return first

    @asynccontextmanager
    async def clients(self, number: int, server: ServerUnderTest | None = None) -> AsyncIterator[Remote]:
        """Run a process with `LiveClients`; each number has a loopback address, and therefore ports, of its own.

        They connect to `server`, by default the live server under test.
        """
        port = (server or self.live).port
        make = partial(LiveClients, opening=OPENING, port=port, source=f"127.0.0.{10 + number}")
        async with remote(make) as proxy:
            yield proxy

    @asynccontextmanager
    async def bare_server(self) -> AsyncIterator[ServerUnderTest]:
        """Run `bench.sockets.bare_server` with the same secret on the same core for the time of the block."""
        async with self._launch("bench.sockets.bare_server") as server:
            yield server


@asynccontextmanager
async def service_stack(cores: Cores, followers: int) -> AsyncIterator[ServiceStack]:
    """Run the engines, and the live server on a core of its own, until the end of the block."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        environment = {
            "PICSHARE_DATABASE__URL": await stack.enter_async_context(embedded_postgres(folder)),
            "PICSHARE_REDIS__URL": f"redis://127.0.0.1:{await stack.enter_async_context(run_redis(folder))}",
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_BROKER__URL": "amqp://127.0.0.1/unused",
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
        }
        settings = load_settings(None, _sections(environment))
        await migrate(settings.database.url)
        stores = await stack.enter_async_context(open_stores(settings))
        author, ids = await create_author(stores.db, followers)
        (fanout,) = (spec for spec in WORKERS if spec.name == "fanout")
        context = worker_context(fanout.name, settings, stores)
        handlers = await stack.enter_async_context(open_handlers(fanout, context))
        launch = partial(_launch, cores, folder, environment)
        yield ServiceStack(
            stores=stores,
            settings=settings,
            live=await stack.enter_async_context(launch("bench.sockets.server", "full")),
            handlers=handlers,
            author=author,
            followers=ids,
            launch=launch,
        )


@asynccontextmanager
async def _launch(
    cores: Cores, folder: Path, environment: Mapping[str, str], module: str, *arguments: str
) -> AsyncIterator[ServerUnderTest]:
    """Run a server's module on the server's core until the end of the block; it is given a free port."""
    port = free_port()
    line = cores.on_server_core(command(module, [*arguments, str(port)], environment))
    name = module.rpartition(".")[2]
    async with run_server(line, name=name, folder=folder, ready=lambda: is_ready(port)) as pid:
        yield ServerUnderTest(pid=pid, port=port)


def _sections(environment: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return environment variables as the sections and keys that they name."""
    sections: dict[str, dict[str, str]] = {}
    for name, value in environment.items():
        section, _, key = name.removeprefix(PREFIX).lower().partition(DELIMITER)
        sections.setdefault(section, {})[key] = value
    return sections
