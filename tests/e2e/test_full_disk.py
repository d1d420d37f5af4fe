"""`picshare run` on a file system without space: reading and deleting go on, and what stores something is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.support.api_user import PASSWORD, ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS
from tests.support.small_disk import SmallDisk, can_mount

pytestmark = pytest.mark.engines

WITHIN = 60.0  # seconds


@pytest.fixture
async def disk(short_dir: Path) -> AsyncIterator[SmallDisk]:
    """A service on a small file system."""
    if not await can_mount(short_dir):
        pytest.skip("a small file system cannot be mounted here: it needs unshare(1) and the permission to use it")
    disk = SmallDisk(short_dir)
    await disk.service.start()
    yield disk
    await disk.service.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


async def wait_for_event(disk: SmallDisk, event: str) -> None:
    """Wait until the service has logged an event."""
    await eventually(lambda: f'"event":"{event}"' in disk.service.log(), within=WITHIN)


async def refused(user: ApiUser, photo_id: str, author: ApiUser) -> set[str]:
    """Try everything that stores something; return what was not refused with 507 and Retry-After."""
    like = await user.call("PUT", f"/photos/{photo_id}/like")
    comment = await user.call("POST", f"/photos/{photo_id}/comments", json={"text": "What a cat"})
    follow = await user.call("PUT", f"/users/{author.id}/follow")
    upload = await user.try_upload(PHOTOS / "temple.jpg")
    account = {"username": "newcomer", "email": "newcomer@example.com", "password": PASSWORD}
    sign_up = await user.call("POST", "/users", json=account)
    responses = {"like": like, "comment": comment, "follow": follow, "upload": upload, "sign-up": sign_up}
    return {
        f"{name} {response.status}"
        for name, response in responses.items()
        if response.status != 507 or int(response.headers.get("Retry-After", 0)) <= 0
    }


async def test_on_a_full_disk_reading_and_deleting_go_on(disk: SmallDisk, http: aiohttp.ClientSession) -> None:
    """Without space, also for the engines' logs, only what stores something is refused; with space all goes on."""
    url = disk.service.url
    author, fan, visitor = [await ApiUser.sign_up(http, url) for _ in range(3)]
    await fan.follow(author)
    live = await fan.go_live()
    kept, deleted = [await author.upload(PHOTOS / "cat.jpg", name) for name in ("kept", "deleted")]
    await eventually(lambda: len(live.of("feed", "photo.new")) == 2, within=WITHIN)

    disk.fill()
    await wait_for_event(disk, "disk_full")
    # Each of these needs a new segment of PostgreSQL's log, and Valkey has some writes of its own to refuse.
    await disk.use_log_segments(2)
    await eventually(lambda: not list(disk.path.glob("data/valkey/appendonlydir/*")), within=WITHIN)

    assert await refused(visitor, kept["id"], author) == set()
    (await author.call("DELETE", f"/photos/{deleted['id']}")).expect(204)
    await eventually(lambda: live.of("feed", "photo.removed"), within=WITHIN)
    assert [photo["id"] for photo in await fan.feed()] == [kept["id"]]
    (await fan.call("GET", f"/users/{author.name}")).expect(200)
    (await fan.call("GET", "/notifications")).expect(200)
    (await fan.call("DELETE", f"/users/{author.id}/follow")).expect(204)
    (await visitor.call("POST", "/tokens", json={"username": author.name, "password": PASSWORD})).expect(201)
    async with http.get(f"{url}/readyz") as response:
        assert response.status == 200, await response.text()

    # The other program takes the reserve as well.
    disk.fill()
    assert await fan.feed() == []
    # Each changes a rate limit in Valkey, and together more than the rest of a page of its file could hold.
    for _ in range(40):
        (await fan.call("GET", f"/photos/{kept['id']}")).expect(200)
    (await fan.call("GET", f"/users/{author.name}")).expect(200)
    assert live.codes == []
    # PostgreSQL ends when it cannot extend its log, and starts as soon as it can.
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await disk.use_log_segments(4)
    await wait_for_event(disk, "engine_ended")

    disk.clear()
    await wait_for_event(disk, "disk_has_space")
    await disk.service.ready(within=WITHIN)
    (await visitor.call("PUT", f"/photos/{kept['id']}/like")).expect(200)
    (await visitor.try_upload(PHOTOS / "temple.jpg")).expect(201)
    await fan.leave()
