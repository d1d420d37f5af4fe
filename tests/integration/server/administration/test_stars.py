"""Stars as operators see them: the list, the check of one author, and the doctor's finding."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest

from server.administration import doctor
from server.administration.findings import Finding
from server.administration.stars import StarCheck, check_star, list_stars
from server.config.settings import Settings
from server.operation.metrics import Metrics
from storage import ids
from storage.errors import NotFoundError
from storage.feeds.star_report import StarReport
from storage.models import StarState, User
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.social import stars
from tests.integration.server.administration.test_doctor import settings_of
from tests.support.community import follow, new_users, ready_photo
from tests.support.documents import ROOT
from tests.support.driver_commands import commands
from tests.support.stage import Stage
from workers.jobs.feeds.stars import STUCK_AFTER
from workers.jobs.upkeep.star_measures import StarMeasures

pytestmark = pytest.mark.engines

FANS = 3


class World:
    """An author with as many followers as make a star, one without, workers, and the settings of a command."""

    def __init__(self, database: Database, redis: Any, urls: tuple[str, str]) -> None:
        self.database = database
        self.redis = redis
        self.stage = Stage(database, redis, star_followers=FANS)
        self.urls = urls
        self.settings: Settings = settings_of(*urls).with_values("worker", star_followers=FANS)
        self.ann: User
        self.bob: User

    async def fill(self) -> None:
        """Create the accounts."""
        self.ann, self.bob, *fans = await new_users(self.database, "ann", "bob", *(f"fan{n}" for n in range(FANS)))
        for fan in fans:
            await follow(self.database, fan, self.ann)
        self.fans = fans
        await self.stage.pump()

    async def check(self, name: str) -> StarCheck:
        """Have an author checked, and the workers handle what that has begun."""
        found = await check_star(self.settings, name)
        await self.stage.pump()
        return found

    async def state(self, author: User) -> StarState | None:
        """Return the state of an author."""
        return (await stars.standing(self.database, author.id)).state

    async def age(self, seconds: float) -> None:
        """Let all changes have begun earlier."""
        earlier = round(seconds * 1000) << (ids.SEQUENCE_BITS + ids.SHARD_BITS)
        await self.database.fetch("UPDATE stars SET change_id = change_id - $1", earlier)

    async def finding(self) -> Finding:
        """Return the doctor's finding."""
        return {each.name: each for each in await doctor.inspect(self.settings)}["stars"]

    async def command(self, *arguments: str) -> str:
        """Return what a command prints."""
        # A process of its own, because a command sets up the logs of its process.
        names = ("PICSHARE_DATABASE__URL", "PICSHARE_REDIS__URL")
        settings = {**dict(zip(names, self.urls, strict=True)), "PICSHARE_WORKER__STAR_FOLLOWERS": str(FANS)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server.cli", "stars", *arguments),
            cwd=ROOT,
            env={**os.environ, **settings, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, error = await process.communicate()
        assert (process.returncode, error) == (0, b"")
        return output.decode()


@pytest.fixture
async def world(database: Database, redis: Any, database_dsn: str, redis_url: str) -> World:
    """The world."""
    world = World(database, redis, (database_dsn, redis_url))
    await world.fill()
    return world


async def test_a_check_promotes_and_demotes_without_a_photo(world: World) -> None:
    """An author who does not post is compared with the setting, by name or id; nothing changes where nothing is due."""
    assert (await world.check("bob")).begun is None
    assert await list_stars(world.settings, 9) == []
    assert (await world.check("ann")).begun is StarState.PROMOTING
    assert await world.state(world.ann) is StarState.STAR
    assert (await world.check("ann")).begun is None
    (listed,) = await list_stars(world.settings, 9)
    assert (listed.username, listed.state, listed.followers, listed.deleted) == ("ann", StarState.STAR, FANS, False)
    world.settings = world.settings.with_values("worker", star_followers=100)
    assert (await world.check(ids.encode(world.ann.id))).begun is StarState.DEMOTING
    assert await world.state(world.ann) is None
    assert await StarReport(world.redis).logged() == set()
    with pytest.raises(NotFoundError):
        await world.check("nobody")


async def test_a_stopped_change_begins_again(world: World) -> None:
    """One whose event was lost is left alone for a while, is a problem of the doctor afterwards, and is completed."""
    await check_star(world.settings, "ann")
    await world.database.fetch("DELETE FROM outbox")
    assert (await world.finding()).ok
    assert (await world.check("ann")).begun is None
    assert await world.state(world.ann) is StarState.PROMOTING
    await world.age(STUCK_AFTER + 1)
    finding = await world.finding()
    assert not finding.ok
    assert "ann" in finding.detail
    assert (await world.check("ann")).begun is StarState.PROMOTING
    assert await world.state(world.ann) is StarState.STAR
    assert (await world.finding()).ok


async def test_the_order_of_the_list(world: World) -> None:
    """Those that are being promoted or demoted come first, then those with the most followers, up to a number."""
    for number, (author, state) in enumerate(zip([world.ann, world.bob, *world.fans], "sssps", strict=True)):
        await world.database.fetch(
            "INSERT INTO stars (shard, author_id, state, change_id, since_id) VALUES ($1::bigint & 1023, $1, $2, 1, 1)",
            author.id,
            {"s": "star", "p": "promoting"}[state],
        )
        await world.database.fetch("UPDATE users SET followers = $2 WHERE id = $1", author.id, 100 - number)
    listed = [star.username for star in await list_stars(world.settings, 9)]
    assert listed == ["fan1", "ann", "bob", "fan0", "fan2"]
    assert [star.username for star in await list_stars(world.settings, 2)] == listed[:2]


async def test_the_doctor_compares_with_redis(world: World) -> None:
    """Lost logs are a warning until a feed is built again; those of an author who is no star, until a check."""
    await world.check("ann")
    assert await world.finding() == Finding(name="stars", detail="1 star")
    await commands(world.redis).delete("starheads:{0}")
    assert "lost logs of ann" in (await world.finding()).warning
    await ready_photo(world.database, world.ann)
    await world.stage.pump()
    assert (await world.finding()).warning == ""
    await world.stage.feeds.star_logs.open(world.bob.id)
    assert ids.encode(world.bob.id) in (await world.finding()).warning
    assert (await world.check("bob")).begun is None
    assert (await world.finding()).warning == ""


async def test_a_star_whose_account_is_deleted(world: World) -> None:
    """It is listed as such while its demotion is under way, which the deletion has begun."""
    await world.check("ann")
    async with world.database.transaction() as tx:
        await users.remove(tx, world.ann.id)
    (listed,) = await list_stars(world.settings, 9)
    assert (listed.deleted, listed.state) == (True, StarState.DEMOTING)
    await world.stage.pump()
    assert await list_stars(world.settings, 9) == []
    with pytest.raises(NotFoundError):
        await world.check(ids.encode(world.ann.id))


async def test_the_commands(world: World) -> None:
    """They say in one sentence what was found and begun, and list the stars in a table."""
    assert await world.command("list") == "There are no stars.\n"
    assert await world.command("check", "bob") == "bob has 0 followers. It is no star, and nothing is due.\n"
    assert await world.command("check", "ann") == "ann has 3 followers. The promotion begins.\n"
    assert await world.command("check", "ann") == "ann has 3 followers. A promotion is under way for 0 minutes.\n"
    await world.age(STUCK_AFTER + 1)
    assert await world.command("check", "ann") == "ann has 3 followers. The promotion begins again.\n"
    table = await world.command("list")
    assert [word in table for word in ("ann", ids.encode(world.ann.id), "promoting", "3")] == [True] * 4
    await world.stage.pump()
    assert await world.command("check", "ann") == "ann has 3 followers. It is a star, and nothing is due.\n"


async def test_measures(world: World) -> None:
    """The janitor's task measures stars by their state, and pulls of all processes; announcements are timed."""
    metrics = Metrics()
    measures = StarMeasures(world.database, StarReport(world.redis), metrics)
    await world.stage.open()
    await world.stage.online(*world.fans)

    def sample(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"picshare_{name}", labels)

    await check_star(world.settings, "ann")
    assert await measures.measure() == 0
    assert [sample("stars", state=state) for state in ("promoting", "star", "demoting")] == [1, 0, 0]
    await world.stage.pump()
    for _ in range(2):
        await ready_photo(world.database, world.ann)
    await world.stage.pump()
    for fan in world.fans[:2]:
        await world.stage.feed(fan)
    for _ in range(2):
        await measures.measure()
    assert [sample("stars", state=state) for state in ("promoting", "star", "demoting")] == [0, 1, 0]
    assert [sample("star_pulls_total"), sample("star_pulled_photos_total")] == [2, 4]
    await world.stage.close()
