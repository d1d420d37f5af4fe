"""Two regions: reads of the far one, a link that is cut, and a home region that is lost and taken over.

The tests build on each other, in their order: a region is lost once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.regions import Regions, two_regions
from tests.support.api_user import API, ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 60.0  # seconds; the machine may be busy
POSITION = "X-Picshare-Position"


class Scene:
    """Ann, who posts, and Ben, who follows her; both live near the far region."""

    def __init__(self, regions: Regions, ann: ApiUser, ben: ApiUser) -> None:
        self.regions = regions
        self.ann, self.ben = ann, ben
        self.photos: list[str] = []

    async def post(self) -> str:
        """Upload a photo of Ann at home and return its id."""
        photo = await self.ann.upload(PHOTOS / "cat.jpg", f"Photo {len(self.photos)}")
        self.photos.insert(0, photo["id"])
        await eventually(lambda: self._is_ready(photo["id"]), within=WITHIN)
        return str(photo["id"])

    async def read(self, path: str, *, url: str | None = None, **headers: str) -> Any:
        """Return what Ben reads at an address, by default at the far region's."""
        address = f"{url or self.regions.far_reads.url}{API}{path}"
        return (await self.ben.call("GET", address, headers=headers)).expect(200)

    async def feed(self, *, url: str | None = None) -> list[str]:
        """Return the ids of Ben's feed."""
        return [item["id"] for item in (await self.read("/feed", url=url))["items"]]

    async def arrived(self) -> bool:
        """Return whether the far region has everything, and reads it from its own database."""
        return await self.regions.is_replicated() and await self.feed() == self.photos

    async def sees_all(self) -> bool:
        """Return whether the far region answers, with all photos."""
        try:
            return await self.feed() == self.photos
        except aiohttp.ClientError:
            return False

    async def _is_ready(self, photo_id: str) -> bool:
        return photo_id in await self.feed(url=self.regions.home.url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(engines_dir: Path) -> AsyncIterator[Scene]:
    """The regions with two users and two photos, which the far region has."""
    async with two_regions(engines_dir / "regions") as regions, aiohttp.ClientSession() as http:
        ann, ben = [await ApiUser.sign_up(http, regions.home.url) for _ in range(2)]
        await ben.follow(ann)
        scene = Scene(regions, ann, ben)
        for _ in range(2):
            await scene.post()
        await eventually(scene.arrived, within=WITHIN)
        yield scene


async def test_a_user_of_the_far_region_sees_an_own_write_at_once(scene: Scene) -> None:
    """It is carried out at home, and its position, which the client carries, is that up to which a page is read."""
    path = f"/photos/{scene.photos[0]}"
    for method, liked in (("PUT", True), ("DELETE", False)):
        written = await scene.ben.call(method, f"http://127.0.0.1:{scene.regions.to_home.port}{API}{path}/like")
        assert written.status in {200, 204}
        assert written.headers["Set-Cookie"].startswith(f"picshare_position={written.headers[POSITION]};")
        found = await scene.read(path, **{POSITION: written.headers[POSITION]})
        assert (found["liked"], found["likes"]) == (liked, int(liked))


async def test_the_far_region_only_reads(scene: Scene) -> None:
    """A write that arrives there was led the wrong way, and was not carried out."""
    refused = await scene.ben.call("PUT", f"{scene.regions.far_reads.url}{API}/photos/{scene.photos[0]}/like")
    assert refused.expect(421)["code"] == "misdirected"


async def test_both_regions_go_on_while_the_link_is_cut(scene: Scene) -> None:
    """The home region as always, and the far one with the pages of that moment. Afterwards it has the rest."""
    before = list(scene.photos)
    await scene.regions.cut()
    assert await scene.feed() == before
    assert (await scene.read(f"/photos/{before[0]}"))["id"] == before[0]
    assert [item["id"] for item in (await scene.read(f"/users/{scene.ann.name}/photos"))["items"]] == before
    new = await scene.post()
    assert await scene.feed() == before
    with pytest.raises(aiohttp.ClientError):
        await scene.ben.call("PUT", f"http://127.0.0.1:{scene.regions.to_home.port}{API}/photos/{new}/like")
    scene.regions.heal()
    await eventually(scene.arrived, within=WITHIN)


async def test_the_far_region_takes_over_from_a_lost_one(scene: Scene) -> None:
    """What had been replicated is all there, once; what was acknowledged during the cut before the loss is lost."""
    path = f"/photos/{scene.photos[0]}"
    assert (await scene.ben.call("PUT", f"{path}/like")).status == 200
    await eventually(scene.arrived, within=WITHIN)
    replicated = list(scene.photos)
    await scene.regions.cut()
    lost = await scene.post()
    await scene.regions.lose_home()
    assert await scene.feed() == replicated

    await scene.regions.take_over()
    ann, ben = scene.ann, scene.ben
    ann.url = ben.url = scene.regions.far.url
    assert [item["id"] for item in await ben.feed()] == replicated
    assert ((await ben.call("GET", path)).expect(200))["likes"] == 1
    (await ben.call("GET", f"/photos/{lost}")).expect(404)
    live = await ben.go_live()
    await ann.sign_in()
    photo = await ann.upload(PHOTOS / "cat.jpg", "After the take-over")
    assert (await live.expect("feed", "photo.new"))["photo"]["id"] == photo["id"]
    assert [item["id"] for item in await ben.feed()] == [photo["id"], *replicated]
    scene.photos = [photo["id"], *replicated]


async def test_a_home_region_that_returns_is_not_used(scene: Scene) -> None:
    """Its database is a primary on the old timeline; a process that reaches both uses the new one."""
    await scene.regions.home_database.start()
    scene.regions.heal()
    # It is ready without a replica, since its only one is the primary now.
    await scene.regions.far_reads.start(wait=False)
    await eventually(scene.sees_all, within=WITHIN)
