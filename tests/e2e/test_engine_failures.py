"""`picshare run` while its engines fail: they are restarted or left for their successor, and the service continues."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import asyncpg
import psutil
import pytest
import pytest_asyncio
import redis.asyncio as raw

from tests.engines.private import RedisNode, free_port
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS
from tests.support.run import Run
from tests.support.service import Service
from tests.support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 60.0  # seconds


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


def engine_of(service: Service, name: str) -> psutil.Process:
    """Return the process of an embedded engine."""
    return next(child for child in psutil.Process(service.pid).children() if child.name() == name)


def defects(service: Service) -> list[str]:
    """Return the events of a service that report a defect of its code."""
    return [line for line in service.log().splitlines() if '"crashed"' in line or '"loop_error"' in line]


async def readiness(http: aiohttp.ClientSession, url: str) -> tuple[int, list[str]]:
    """Return the status of `/readyz` and the names of what is missing."""
    async with http.get(f"{url}/readyz") as response:
        body = await response.json()
        return response.status, body.get("failing", []) + body.get("degraded", [])


async def test_killed_engines_are_restarted(run: Run, http: aiohttp.ClientSession) -> None:
    """After SIGKILL of either engine the service goes on, with the same process and live connection."""
    service = run.service("--no-demo")
    await service.start()
    author, fan = await ApiUser.sign_up(http, run.url), await ApiUser.sign_up(http, run.url)
    await fan.follow(author)
    live = await fan.go_live()
    for name in ("valkey-server", "postgres", "valkey-server"):
        killed = engine_of(service, name)
        killed.kill()

        def restarted(name: str = name, killed: psutil.Process = killed) -> bool:
            children = psutil.Process(service.pid).children()
            return any(child.name() == name and child.pid != killed.pid for child in children)

        await eventually(restarted, within=WITHIN)
        await service.ready(within=WITHIN)
        photo = await author.upload(PHOTOS / "cat.jpg", f"after {name}")
        await eventually(partial(live.has_photo, photo["id"]), within=WITHIN)
    assert live.codes == []
    await fan.leave()


async def test_an_engine_that_cannot_be_restarted_ends_the_process(run: Run) -> None:
    """After several failed restarts the process ends with exit code 1, one sentence, and no child left."""
    service = run.service("--no-demo")
    await service.start()
    children = psutil.Process(service.pid).children(recursive=True)
    (run.folder / "data" / "postgres" / "global" / "pg_control").unlink()
    engine_of(service, "postgres").kill()
    assert service.process is not None
    async with asyncio.timeout(WITHIN):
        assert await service.process.wait() == 1, service.log()
    last = service.log().splitlines()[-1]
    assert last.startswith("picshare: the embedded postgresql has failed 6 times in a row"), service.log()
    assert "pg_control" in last
    assert not defects(service)

    def all_ended() -> bool:
        return not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)

    await eventually(all_ended, within=WITHIN)


async def test_a_stop_while_an_engine_restarts(run: Run) -> None:
    """SIGTERM ends the process with exit code 0 also while an engine is being restarted."""
    service = run.service("--no-demo")
    await service.start()
    control = run.folder / "data" / "postgres" / "global" / "pg_control"
    control.rename(control.with_name("away"))
    engine_of(service, "postgres").kill()
    await eventually(lambda: service.log().count("engine_ended") >= 3, within=WITHIN)
    assert await service.stop() == 0, service.log()
    assert not defects(service)


async def test_a_read_only_postgresql_is_reported(run: Run, http: aiohttp.ClientSession) -> None:
    """`/readyz` names the database while it refuses writes, although it responds."""
    service = run.service("--no-demo")
    await service.start()
    addresses = json.loads((run.folder / "data" / "running.json").read_text())
    admin = await asyncpg.connect(addresses["database"])
    await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await admin.execute("SELECT pg_reload_conf()")

    async def not_ready() -> bool:
        status, failing = await readiness(http, run.url)
        return status == 200 and failing == ["database"]

    await eventually(not_ready, within=WITHIN)
    await admin.execute("SET default_transaction_read_only = off")
    await admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
    await service.ready(within=WITHIN)
    await ApiUser.sign_up(http, run.url)


async def test_a_demoted_redis_is_left_for_its_successor(run: Run, http: aiohttp.ClientSession) -> None:
    """`/readyz` misses Redis while the address leads to a replica; then the service and its live streams continue."""
    old, new = (RedisNode(run.folder / name, free_port()) for name in ("old", "new"))
    old.start()
    new.start()
    try:
        async with TcpProxy.to(old.port) as proxy:
            service = run.service("--no-demo", env={"PICSHARE_REDIS__URL": f"redis://127.0.0.1:{proxy.port}"})
            await service.start()
            author, fan = await ApiUser.sign_up(http, run.url), await ApiUser.sign_up(http, run.url)
            await fan.follow(author)
            live = await fan.go_live()
            subscribed = len(live.recovered)

            direct = raw.Redis(port=old.port)
            await direct.replicaof("127.0.0.1", str(new.port))
            await direct.aclose()

            async def not_ready() -> bool:
                status, failing = await readiness(http, run.url)
                return status == 200 and "redis" in failing

            await eventually(not_ready, within=WITHIN)
            proxy.redirect_to(new.port)
            await service.ready(within=WITHIN)
            first = await author.upload(PHOTOS / "cat.jpg", "while the client may still be reconnecting")

            async def is_known() -> bool:
                # The successor has no logs. A client that was disconnected meanwhile reconnects without recovery, and
                # then has to fetch the page.
                refetch = ("feed", False) in live.recovered[subscribed:]
                return live.has_photo(first["id"]) or (
                    refetch and first["id"] in [item["id"] for item in await fan.feed()]
                )

            await eventually(is_known, within=WITHIN)
            second = await author.upload(PHOTOS / "cat.jpg", "after the failover")
            await eventually(partial(live.has_photo, second["id"]), within=WITHIN)
            assert live.codes == []
            await fan.leave()
            await service.stop()
    finally:
        old.stop()
        new.stop()
