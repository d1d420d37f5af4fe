"""The loss of an engine's server behind nginx and under load: nothing acknowledged is lost, and the service goes on.

The other engines and longer scenes are in `tests/soak/test_failover.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.clustered import Installation, Reader, installation_in
from tests.e2e.load import Load
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 60.0  # seconds; `python -m bench failover` measures how long it takes
USED = "picshare_replica_used"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(engines_dir: Path) -> AsyncIterator[Installation]:
    """One for this module; each test leaves all servers running."""
    async with installation_in(engines_dir / "failover") as installation:
        yield installation


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


@pytest_asyncio.fixture(loop_scope="module")
async def load(installation: Installation, http: aiohttp.ClientSession) -> AsyncIterator[Load]:
    """Uploads and likes of users of the test's own."""
    load = await installation.load(http)
    yield load
    await load.close()


@pytest_asyncio.fixture(loop_scope="module")
async def reader(installation: Installation, http: aiohttp.ClientSession) -> Reader:
    """A user without writes of their own, whom replicas answer."""
    author, user = [await ApiUser.sign_up(http, installation.url) for _ in range(2)]
    photo = await author.upload(PHOTOS / "cat.jpg")
    await user.follow(author)

    async def shown() -> bool:
        return bool(await user.feed())

    await eventually(shown, within=WITHIN)
    return Reader(user, photo["id"])


async def until_replicas_are_used(installation: Installation, http: aiohttp.ClientSession, count: int) -> None:
    """Wait until each process uses so many replicas."""

    async def used() -> bool:
        metrics = [await installation.metric(http, name, USED) for name in installation.processes]
        return all(sum(values.values()) == count for values in metrics)

    await eventually(used, within=WITHIN)


async def test_the_primary_is_lost(installation: Installation, load: Load) -> None:
    """Uploads are acknowledged again once a standby is promoted; the former primary becomes its standby.

    A standby is not promoted while the primary goes on, and not if it lies in the past: another one has received more.
    """
    postgres = installation.postgres
    former, (behind, ahead) = postgres.primary, postgres.standbys
    async with load.running():
        await load.until(acknowledged=4)
        with pytest.raises(RuntimeError, match=f"{former.place} accepts writes"):
            await postgres.promote(ahead)
        await behind.crash()
        await load.until(acknowledged=len(load.acknowledged) + 4)
        await former.crash()
        await behind.start()
        with pytest.raises(RuntimeError, match=f"{ahead.place} has received more"):
            await postgres.promote(behind)
        await postgres.promote(ahead)
        await load.until(acknowledged=len(load.acknowledged) + 4)
    await load.everything_arrives(within=WITHIN)
    await postgres.rejoin(former)


async def test_a_standby_is_lost(
    installation: Installation, http: aiohttp.ClientSession, load: Load, reader: Reader
) -> None:
    """No request fails: commits wait for the other standby, reads are repeated on the primary."""
    postgres = installation.postgres
    await until_replicas_are_used(installation, http, 2)
    standby = postgres.standbys[0]
    async with load.running(), reader.reading():
        await load.until(acknowledged=4)
        lost = time.monotonic()
        await standby.crash()
        await load.until(acknowledged=len(load.acknowledged) + 6)
        await until_replicas_are_used(installation, http, 1)
    assert (load.failures_since(lost), reader.failed) == ([], {})
    await load.everything_arrives(within=WITHIN)
    await standby.start()
    await until_replicas_are_used(installation, http, 2)


async def test_a_standby_lags(
    installation: Installation, http: aiohttp.ClientSession, load: Load, reader: Reader
) -> None:
    """It gets no reads until it has caught up: every author sees a photo directly after its upload."""
    postgres = installation.postgres
    await until_replicas_are_used(installation, http, 2)
    standby = postgres.standbys[0]
    author = await ApiUser.sign_up(http, installation.url)
    async with load.running(), reader.reading():
        await standby.pause_replay()
        for number in range(4):
            photo = await author.upload(PHOTOS / "cat.jpg", f"{number}")
            (await author.call("GET", f"/photos/{photo['id']}")).expect(200)
        await until_replicas_are_used(installation, http, 1)
        before = len(load.acknowledged)
        await load.until(acknowledged=before + 4)
    assert (load.failures_since(0), reader.failed) == ([], {})
    await standby.resume_replay()
    await until_replicas_are_used(installation, http, 2)
    await load.everything_arrives(within=WITHIN)


async def test_a_standby_is_promoted_by_mistake(
    installation: Installation, http: aiohttp.ClientSession, load: Load, reader: Reader
) -> None:
    """No process writes to it or reads from it; it becomes a standby again by the script for former primaries."""
    postgres = installation.postgres
    await until_replicas_are_used(installation, http, 2)
    mistaken = postgres.standbys[0]
    count = "SELECT count(*) FROM photos"
    async with load.running(), reader.reading():
        await load.until(acknowledged=2)
        await mistaken.promote()
        promoted = time.monotonic()
        photos = await mistaken.fetchval(count)
        await load.until(acknowledged=len(load.acknowledged) + 6)
        await until_replicas_are_used(installation, http, 1)
    assert await mistaken.fetchval(count) == photos
    assert (load.failures_since(promoted), reader.failed) == ([], {})
    await load.everything_arrives(within=WITHIN)
    await postgres.rejoin(mistaken)
    await until_replicas_are_used(installation, http, 2)


async def test_a_master_of_redis_is_lost(installation: Installation, load: Load) -> None:
    """Its replica takes over by itself; what its users had there is built again, and their clients fetch the feed."""
    redis = installation.redis
    master = installation.redis_master_of(load.authors[0])
    async with load.running():
        await load.until(acknowledged=4)
        await asyncio.to_thread(master.kill)
        await eventually(lambda: installation.redis_master_of(load.authors[0]) is not master, within=WITHIN)
        await load.until(acknowledged=len(load.acknowledged) + 4)
    await load.everything_arrives(within=WITHIN, refetched=True)
    await asyncio.to_thread(master.start)
    await asyncio.to_thread(redis.wait)
