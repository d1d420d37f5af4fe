"""The API with a replica that lags: what reads pages uses it, and nobody is shown a page from before an own write."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from server.composition.backends import Stores, open_stores
from server.composition.process import ProcessBuilder
from server.config.settings import Settings
from server.operation.metrics import Metrics
from storage import ids
from storage.models import User
from storage.notifications import NotificationKind
from storage.postgres.migrate import migrate
from storage.redis.client import open_redis
from storage.stores.accounts import account_fields, users
from storage.stores.social import follows
from tests.engines.postgres_pair import PostgresPair, postgres_pair
from tests.support.api import SECRET
from tests.support.api_user import ApiUser
from tests.support.community import ready_photo, record_notification
from tests.support.driver_commands import commands
from tests.support.eventually import eventually

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

PRIMARY = "primary"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(engines_dir: Path) -> AsyncIterator[PostgresPair]:
    """A migrated primary and its standby."""
    async with postgres_pair(engines_dir / "api-replicas") as pair:
        await migrate(pair.primary.url)
        yield pair


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A process of the role api, composed from settings, whose replica is the standby."""

    pair: PostgresPair
    settings: Settings
    stores: Stores
    metrics: Metrics
    session: aiohttp.ClientSession
    url: str

    async def users(self, count: int) -> list[ApiUser]:
        """Sign users up, and wait until the replica answers them."""
        found = [await ApiUser.sign_up(self.session, self.url) for _ in range(count)]
        await self.caught_up()
        return found

    async def caught_up(self) -> None:
        """Wait until the replica has everything and is used."""
        assert self.stores.replicas is not None
        replicas = self.stores.replicas
        position = await replicas.position()
        await eventually(lambda: replicas.choose(position) is not None)

    async def account(self, user: ApiUser) -> User:
        """Return the account of a user."""
        return await users.get(self.stores.db, ids.decode(user.id))

    def reads(self) -> dict[str, float]:
        """Return the number of reads by server."""
        (family,) = (
            family
            for family in text_string_to_metric_families(self.metrics.render().decode())
            if family.name == "picshare_database_reads"
        )
        return {item.labels["server"]: item.value for item in family.samples if item.name.endswith("_total")}

    async def server_of(self, user: ApiUser, path: str) -> str:
        """Request a page and return the server that answered its only read."""
        before = self.reads()
        (await user.call("GET", path)).expect(200)
        after = self.reads()
        (server,) = (name for name, count in after.items() if count > before.get(name, 0))
        return server


@pytest_asyncio.fixture(loop_scope="module")
async def scene(pair: PostgresPair, valkey_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """A running process; positions of users are trusted as if Redis had been running for long."""
    settings = Settings().with_values("auth", secret=SECRET.decode(), hash_memory=19, hash_passes=2)
    settings = settings.with_values("blobs", url=f"file:{tmp_path}").with_values("redis", url=valkey_url)
    settings = settings.with_values(
        "database", url=pair.primary.url, replicas=[pair.standby.url], replica_max_lag=20.0, pool_min=1
    )
    redis = open_redis(valkey_url)
    await commands(redis).flushall()
    for group in range(ids.SLOT_GROUPS):
        await redis.execute_command("SET", b"wal:{%d}" % group, 1)
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        stores = await stack.enter_async_context(open_stores(settings, metrics))
        builder = ProcessBuilder(settings, stores, metrics, stack)
        await builder.add(frozenset({"api"}))
        node = builder.node()
        assert node.app is not None
        follow = cast(Callable[[], Coroutine[Any, Any, None]], node.services["replicas"])
        following = asyncio.create_task(follow())
        server = TestServer(node.app)
        await server.start_server(access_log=None)
        stack.push_async_callback(server.close)
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        yield Scene(
            pair=pair,
            settings=settings,
            stores=stores,
            metrics=metrics,
            session=session,
            url=str(server.make_url("")).rstrip("/"),
        )
        await pair.standby.resume_replay()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def test_every_page_is_read_from_the_replica(scene: Scene) -> None:
    """Except the newest notifications, whose position in the live stream only the primary has for certain."""
    ann, ben = await scene.users(2)
    photo = await ready_photo(scene.stores.db, await scene.account(ann), tags=["sun"])
    photo_id = ids.encode(photo.id)
    own_list = (await ben.call("POST", "/lists", json={"title": "Friends"})).expect(201)["id"]
    (await ben.call("PUT", f"/lists/{own_list}/accounts/{ann.id}")).expect(204)
    await scene.caught_up()
    pages = [
        "/users/me",
        f"/users/{ann.name}",
        f"/users/{ann.id}/photos",
        f"/users?query={ann.name}",
        f"/users/{ann.id}/followers",
        f"/users/{ann.id}/following",
        "/users/me/follow-requests",
        "/photos",
        "/photos?tag=sun",
        f"/photos/{photo_id}",
        f"/photos/{photo_id}/likes",
        f"/photos/{photo_id}/comments",
        "/lists",
        f"/lists/{own_list}",
        f"/lists/{own_list}/accounts",
        f"/users/{ann.id}/lists",
        f"/feed?source=list:{own_list}",
    ]
    servers = {page: await scene.server_of(ben, page) for page in pages}
    assert servers == dict.fromkeys(pages, scene.pair.standby.place)
    before = scene.reads()
    for page in ("/notifications", "/notifications/counters", "/feed"):
        (await ben.call("GET", page)).expect(200)
    assert scene.reads() == before


@pytest.mark.parametrize(("service", "follows"), [("api", True), ("live", True), ("janitor", False)])
async def test_processes_that_serve_users_follow_the_replicas(scene: Scene, service: str, follows: bool) -> None:
    """The others neither read from replicas nor write for a user who waits for the response."""
    async with AsyncExitStack() as stack:
        builder = ProcessBuilder(scene.settings, scene.stores, Metrics(), stack)
        await builder.add(frozenset({service}))
        assert ("replicas" in builder.node().services) is follows


async def test_older_notifications_are_read_from_the_replica(scene: Scene) -> None:
    """Pages after the first carry no position."""
    ann, ben = await scene.users(2)
    owner, other = await scene.account(ann), await scene.account(ben)
    for _ in range(2):
        photo = await ready_photo(scene.stores.db, owner)
        await _notify(scene, owner, other, photo.id)
    await scene.caught_up()
    first = (await ann.call("GET", "/notifications?limit=1")).expect(200)
    assert await scene.server_of(ann, f"/notifications?limit=1&cursor={first['next']}") == scene.pair.standby.place


async def test_a_user_sees_an_own_write_at_once(scene: Scene) -> None:
    """While the replica lags, each page of the writer has the write; a user who wrote nothing reads the replica."""
    ann, ben = await scene.users(2)
    photo = await ready_photo(scene.stores.db, await scene.account(ann))
    photo_id = ids.encode(photo.id)
    await scene.caught_up()
    await scene.pair.standby.pause_replay()
    (await ann.call("PATCH", "/users/me", json={"display_name": "New"})).expect(200)
    assert (await ann.call("GET", "/users/me")).expect(200)["display_name"] == "New"
    assert (await ben.call("GET", f"/users/{ann.id}")).expect(200)["display_name"] != "New"
    (await ben.call("PUT", f"/photos/{photo_id}/like")).expect(200)
    assert (await ben.call("GET", f"/photos/{photo_id}")).expect(200)["liked"] is True
    (await ben.call("POST", f"/photos/{photo_id}/comments", json={"text": "Oh"})).expect(201)
    comments = (await ben.call("GET", f"/photos/{photo_id}/comments")).expect(200)["items"]
    assert [item["text"] for item in comments] == ["Oh"]
    assert (await ann.call("GET", f"/photos/{photo_id}/comments")).expect(200)["items"] == comments


async def test_a_new_account_finds_itself(scene: Scene) -> None:
    """Signing up is a write of the user who did not exist before."""
    await scene.users(1)
    await scene.pair.standby.pause_replay()
    cat = await ApiUser.sign_up(scene.session, scene.url)
    found = (await cat.call("GET", f"/users?query={cat.name}")).expect(200)["items"]
    assert [item["id"] for item in found] == [cat.id]


async def test_a_photo_that_was_announced_is_found(scene: Scene) -> None:
    """A viewer has its id from a live message; the replica does not have the photo yet."""
    ann, ben = await scene.users(2)
    await scene.pair.standby.pause_replay()
    photo = ids.encode((await ready_photo(scene.stores.db, await scene.account(ann))).id)
    for page in (f"/photos/{photo}", f"/photos/{photo}/comments", f"/photos/{photo}/likes"):
        assert await scene.server_of(ben, page) == PRIMARY
    assert (await ben.call("GET", f"/photos/{ids.encode(1)}")).status == 404
    cat = await ApiUser.sign_up(scene.session, scene.url)
    for page in (f"/users/{cat.id}", f"/users/{cat.id}/photos", f"/users/{cat.id}/followers"):
        assert await scene.server_of(ben, page) == PRIMARY


async def test_a_relation_is_in_force_for_the_other_user(scene: Scene) -> None:
    """A block hides the blocker at once, and an accepted request shows the photos, although the replica lags."""
    ann, ben, cat = await scene.users(3)
    async with scene.stores.db.transaction() as tx:
        await account_fields.update(tx, ids.decode(cat.id), private=True)
        await follows.follow(tx, ids.decode(ben.id), ids.decode(cat.id))
    await ready_photo(scene.stores.db, await scene.account(cat))
    await scene.caught_up()
    assert (await ben.call("GET", f"/users/{cat.id}/photos")).expect(200)["items"] == []
    await scene.pair.standby.pause_replay()
    (await cat.call("PUT", f"/users/me/follow-requests/{ben.id}")).expect(204)
    assert len((await ben.call("GET", f"/users/{cat.id}/photos")).expect(200)["items"]) == 1
    await scene.pair.standby.resume_replay()
    await scene.caught_up()
    await scene.pair.standby.pause_replay()
    (await ann.call("PUT", f"/users/{ben.id}/block")).expect(204)
    assert (await ben.call("GET", f"/users/{ann.id}")).status == 404


async def test_the_newest_notifications_are_those_before_their_position(scene: Scene) -> None:
    """A client would never receive a notification that is before the position and not in the list."""
    ann, ben = await scene.users(2)
    photo = await ready_photo(scene.stores.db, await scene.account(ann))
    await scene.caught_up()
    await scene.pair.standby.pause_replay()
    await _notify(scene, await scene.account(ann), await scene.account(ben), photo.id)
    assert len((await ann.call("GET", "/notifications")).expect(200)["items"]) == 1
    assert (await ann.call("GET", "/notifications/counters")).expect(200)["unseen"] == 1


async def test_no_cache_is_filled_from_the_replica(scene: Scene) -> None:
    """Cards and counters are shared by all users, so they are read from the primary."""
    ann, ben = await scene.users(2)
    author = await scene.account(ann)
    async with scene.stores.db.transaction() as tx:
        await follows.follow(tx, ids.decode(ben.id), author.id)
    photo = await ready_photo(scene.stores.db, author)
    await scene.caught_up()
    await scene.pair.standby.pause_replay()
    async with scene.stores.db.transaction() as tx:
        await account_fields.update(tx, author.id, display_name="New")
        await tx.execute("UPDATE photos SET likes = 5, version = version + 5 WHERE id = $1", photo.id)
    (item,) = (await ben.call("GET", "/feed")).expect(200)["items"]
    assert (item["author"]["display_name"], item["likes"]) == ("New", 5)


async def test_highlights_have_what_the_replica_does_not_have_yet(scene: Scene) -> None:
    """They keep their order for ten minutes, so it is made on the primary; pages are read from the replica."""
    ann, ben = await scene.users(2)
    author = await scene.account(ann)
    async with scene.stores.db.transaction() as tx:
        await follows.follow(tx, ids.decode(ben.id), author.id)
    await scene.caught_up()
    await scene.pair.standby.pause_replay()
    photo = await ready_photo(scene.stores.db, author)
    path = "/feed?order=highlights"
    assert [item["id"] for item in (await ben.call("GET", path)).expect(200)["items"]] == [ids.encode(photo.id)]
    await scene.pair.standby.resume_replay()
    await scene.caught_up()
    assert await scene.server_of(ben, path) == scene.pair.standby.place


_sources = itertools.count(1)


async def _notify(scene: Scene, owner: User, actor: User, photo_id: int) -> None:
    """Record a notification of a like, as the worker does."""
    async with scene.stores.db.transaction() as tx:
        recorded = await record_notification(
            tx,
            recipient_id=owner.id,
            kind=NotificationKind.LIKE,
            actor_id=actor.id,
            photo_id=photo_id,
            source_id=next(_sources),
        )
    assert recorded is not None
