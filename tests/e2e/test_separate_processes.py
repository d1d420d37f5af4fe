"""The main flow with a process per role, on PostgreSQL, Redis and RabbitMQ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.cluster import Cluster, cluster_in
from tests.e2e.load import Load
from tests.support.api_user import ApiUser, Live
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

VICTIMS = ("api1", "live1", "media", "fanout", "notify", "relay", "redis", "rabbitmq")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(engines_dir: Path) -> AsyncIterator[Cluster]:
    """One cluster for this module, because it takes seconds to start."""
    async with cluster_in(engines_dir / "cluster") as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


async def test_a_follower_receives_events_of_another_process(cluster: Cluster, http: aiohttp.ClientSession) -> None:
    """The main flow, with the two users on different api and live processes."""
    author = await ApiUser.sign_up(http, cluster.url("api1"))
    fan = await ApiUser.sign_up(http, cluster.url("api2"))
    author_live = await author.go_live(cluster.url("live1"))
    fan_live = await fan.go_live(cluster.url("live2"))
    await fan.follow(author)

    photo = await author.upload(PHOTOS / "cat.jpg", "A cat")
    news = await fan_live.expect("feed", "photo.new")
    assert news["photo"]["id"] == photo["id"]
    assert [item["id"] for item in await fan.feed()] == [photo["id"]]
    for variant in ("thumb", "feed"):
        response = await fan.call("GET", cluster.url("api2") + news["photo"]["urls"][variant])
        assert (response.status, response.headers["Content-Type"]) == (200, "image/jpeg")

    liked = (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    assert (liked["liked"], liked["likes"]) == (True, 1)
    note = await author_live.expect("notifications", "notification")
    assert (await _texts(author_live, 2)) >= {f"{fan.name} liked your photo", f"{fan.name} started following you"}
    assert note["counters"]["unseen"] >= 1

    assert (await author.call("DELETE", f"/photos/{photo['id']}")).status == 204
    await fan_live.expect("feed", "photo.removed", photo_id=photo["id"])
    assert await fan.feed() == []
    await _image_is_gone(fan, cluster.url("api2") + news["photo"]["urls"]["feed"])
    await author.leave()
    await fan.leave()


async def _texts(live: Live, count: int) -> set[str]:
    def enough_texts() -> set[str]:
        texts = {item["notification"]["text"] for item in live.of("notifications", "notification")}
        return texts if len(texts) >= count else set()

    return await eventually(enough_texts, within=10)


async def _image_is_gone(user: ApiUser, url: str) -> None:
    async def gone() -> bool:
        return (await user.call("GET", url)).status == 404

    await eventually(gone, within=10)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_nothing_acknowledged_is_lost_when_one_is_killed_under_load(
    cluster: Cluster, http: aiohttp.ClientSession, victim: str
) -> None:
    """Whatever is killed, every acknowledged photo reaches every follower once, live and in the feed."""
    load = await Load.prepare(
        http,
        apis=[cluster.url("api1"), cluster.url("api2")],
        lives=[cluster.url("live1"), cluster.url("live2")],
    )
    async with load.running():
        await load.until(acknowledged=8)
        await cluster.kill(victim)
        await load.for_a_while(1.0)
        await cluster.restart(victim)
        await load.until(acknowledged=len(load.acknowledged) + 8)
    await load.everything_arrives(within=60)
    await load.close()
