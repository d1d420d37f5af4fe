"""The main flow with a process per role, on PostgreSQL, Redis, RabbitMQ and an object store."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.cluster import Cluster, cluster_in
from tests.e2e.load import Load
from tests.engines.object_store import ObjectStore
from tests.support.api_user import ApiUser, Live
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS
from tests.support.videos import video

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

VICTIMS = ("api1", "live1", "media", "fanout", "notify", "relay", "redis", "rabbitmq")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(engines_dir: Path, seaweed: ObjectStore) -> AsyncIterator[Cluster]:
    """One cluster for this module, because it takes seconds to start."""
    async with cluster_in(engines_dir / "cluster", seaweed) as cluster:
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
    # Not made yet: the API process has it made by the worker.
    rare = news["photo"]["images"]["sizes"][0]["avif"]
    responses = await asyncio.gather(*(fan.call("GET", cluster.url(api) + rare) for api in ("api1", "api2")))
    assert {(one.status, one.headers["Content-Type"]) for one in responses} == {(200, "image/avif")}

    cached = cluster.nginx.url + news["photo"]["images"]["sizes"][1]["webp"]
    assert [(await fan.call("GET", cached)).headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]

    liked = (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    assert (liked["liked"], liked["likes"]) == (True, 1)
    note = await author_live.expect("notifications", "notification")
    assert (await _texts(author_live, 2)) >= {f"{fan.name} liked your photo", f"{fan.name} started following you"}
    assert note["counters"]["unseen"] >= 1

    assert (await author.call("DELETE", f"/photos/{photo['id']}")).status == 204
    await fan_live.expect("feed", "photo.removed", photo_id=photo["id"])
    assert await fan.feed() == []
    for url in (cluster.url("api2") + news["photo"]["urls"]["feed"], cached):
        await _image_is_gone(fan, url)
    await author.leave()
    await fan.leave()


async def test_a_hidden_photo_is_gone_from_every_process(cluster: Cluster, http: aiohttp.ClientSession) -> None:
    """Another process's API decides; live connections, feeds, APIs and the cache follow, and all of it returns."""
    author = await ApiUser.sign_up(http, cluster.url("api1"))
    fan = await ApiUser.sign_up(http, cluster.url("api2"))
    moderator = await ApiUser.sign_up(http, cluster.url("api2"))
    await cluster.promote(moderator.name)
    author_live, fan_live = await author.go_live(cluster.url("live1")), await fan.go_live(cluster.url("live2"))
    await fan.follow(author)
    photo = await author.upload(PHOTOS / "flower.jpg", "A flower")
    news = await fan_live.expect("feed", "photo.new", within=30)
    cached = cluster.nginx.url + news["photo"]["images"]["sizes"][1]["webp"]
    assert (await fan.call("GET", cached)).status == 200
    path = f"/moderation/{photo['id']}"
    (await moderator.call("POST", path, json={"verdict": "hide", "reason": "not here"})).expect(200)
    for url in (cluster.url("api1"), cluster.url("api2")):
        assert (await fan.call("GET", f"{url}/api/v1/photos/{photo['id']}")).status == 404
        assert (await fan.call("GET", url + news["photo"]["urls"]["feed"])).status == 404
    await fan_live.expect("feed", "photo.removed", photo_id=photo["id"])
    assert await fan.feed() == []
    await _image_is_gone(fan, cached)
    assert "Your photo was hidden from others: not here" in await _texts(author_live, 2)
    own = (await author.call("GET", f"/photos/{photo['id']}")).expect(200)
    assert (await author.call("GET", cluster.nginx.url + own["urls"]["feed"])).status == 200
    (await moderator.call("POST", path, json={"verdict": "allow"})).expect(200)

    async def returned() -> bool:
        return len(fan_live.of("feed", "photo.new")) == 2

    await eventually(returned)
    assert [item["id"] for item in await fan.feed()] == [photo["id"]]
    for user in (author, fan, moderator):
        await user.leave()


async def test_a_video_is_converted_by_its_own_process(cluster: Cluster, http: aiohttp.ClientSession) -> None:
    """From an API process by way of the object store to the worker "video", and by ranges to a follower."""
    author = await ApiUser.sign_up(http, cluster.url("api1"))
    fan = await ApiUser.sign_up(http, cluster.url("api2"))
    fan_live = await fan.go_live(cluster.url("live2"))
    await fan.follow(author)
    posted = await author.upload(video("libx265", kind="mov", turns=1), "A film")
    news = await fan_live.expect("feed", "photo.new", within=60)
    assert news["photo"]["id"] == posted["id"]
    played = news["photo"]["video"]
    assert (played["width"], played["height"]) == (48, 64)
    for state in ("MISS", "HIT"):
        part = await fan.call("GET", cluster.nginx.url + played["url"], headers={"Range": "bytes=4-7"})
        assert (part.status, part.body, part.headers["X-Cache"]) == (206, b"ftyp", state)
    rare = await fan.call("GET", cluster.url("api2") + news["photo"]["images"]["sizes"][0]["avif"])
    assert (rare.status, rare.headers["Content-Type"]) == (200, "image/avif")
    assert (await author.call("DELETE", f"/photos/{posted['id']}")).status == 204
    await _image_is_gone(fan, cluster.nginx.url + played["url"])
    await author.leave()
    await fan.leave()


async def test_an_export_becomes_another_account_s_photos(cluster: Cluster, http: aiohttp.ClientSession) -> None:
    """Made and worked off by the worker "bulk", by way of RabbitMQ and the object store."""
    author = await ApiUser.sign_up(http, cluster.url("api1"))
    fan = await ApiUser.sign_up(http, cluster.url("api2"))
    await author.upload(PHOTOS / "coffee.jpg", "To be moved")
    (await author.call("POST", "/users/me/exports")).expect(202)

    async def ready() -> str | None:
        (export,) = (await author.call("GET", "/users/me/exports")).expect(200)["items"]
        url: str | None = export["url"]
        return url

    url = await eventually(ready)
    archive = (await fan.call("GET", cluster.url("api2") + (url or ""))).body
    tus = {"Tus-Resumable": "1.0.0"}
    announced = {**tus, "Upload-Length": str(len(archive)), "Upload-Metadata": "filetype YXBwbGljYXRpb24vemlw"}
    path = (await fan.call("POST", "/uploads/tus", headers=announced)).headers["Location"].removeprefix("/api/v1")
    part = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    (await fan.call("PATCH", path, headers=part, data=io.BytesIO(archive))).expect(204)
    body = {"upload_id": path.rpartition("/")[2]}
    made = (await fan.call("POST", "/users/me/imports", json=body)).expect(202)

    async def done() -> dict[str, Any] | None:
        found: dict[str, Any] = (await fan.call("GET", f"/users/me/imports/{made['id']}")).expect(200)
        return found if found["state"] not in {"queued", "running"} else None

    found = await eventually(done)
    assert found is not None
    assert (found["state"], found["imported"], found["error"]) == ("done", 1, None)

    async def shown() -> bool:
        items = (await fan.call("GET", f"/users/{fan.id}/photos")).expect(200)["items"]
        return [(item["caption"], item["state"]) for item in items] == [("To be moved", "ready")]

    await eventually(shown)


async def _texts(live: Live, count: int) -> set[str]:
    def enough_texts() -> set[str]:
        texts = {item["notification"]["text"] for item in live.of("notifications", "notification")}
        return texts if len(texts) >= count else set()

    return await eventually(enough_texts)


async def _image_is_gone(user: ApiUser, url: str) -> None:
    async def gone() -> bool:
        return (await user.call("GET", url)).status == 404

    await eventually(gone)


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
