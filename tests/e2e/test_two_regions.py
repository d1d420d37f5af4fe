"""x"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.regions import Regions, two_regions
from tests.support.api_user import ApiUser
from tests.support.pictures import PHOTOS
import time

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def regions(engines_dir: Path) -> AsyncIterator[Regions]:
    """Two regions for this module."""
    async with two_regions(engines_dir / "regions") as regions:
        yield regions


async def test_x(regions: Regions) -> None:
    """y"""
    async with aiohttp.ClientSession() as http:
        ann = await ApiUser.sign_up(http, regions.home.url)
        ben = await ApiUser.sign_up(http, regions.home.url)
        await ben.follow(ann)
        photo = await ann.upload(PHOTOS / "cat.jpg", "A cat")
        import asyncio
        await asyncio.sleep(3)
        for path in ("/feed", "/photos", f"/photos/{photo['id']}", f"/users/{ann.name}", "/notifications", f"/photos/{photo['id']}/comments", "/search?q=cat"):
            for base in (regions.home.url, regions.far_reads.url):
                for k in (1,2):
                    t=time.perf_counter()
                    r = await ben.call("GET", base + "/api/v1" + path)
                    print(path, base, r.status, round(1000*(time.perf_counter()-t),1), r.body[:150])
    print(regions.far_reads.log()[-3000:])
