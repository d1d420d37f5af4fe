"""Several serving processes on one port: restarted, drained and scraped together."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest
import pytest_asyncio

from tests.engines.private import free_port
from tests.support.eventually import eventually
from tests.support.service import Service

pytestmark = pytest.mark.engines

PATIENCE = 60.0  # seconds


@pytest_asyncio.fixture
async def service(database_dsn: str, real_redis_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """`picshare serve --role api --workers 2`, of which both processes have started."""
    port = free_port()
    env = {
        "PICSHARE_DATABASE__URL": database_dsn,
        "PICSHARE_REDIS__URL": real_redis_url,
        "PICSHARE_BROKER__URL": "amqp://127.0.0.1:1/",  # this role only writes to the outbox
        "PICSHARE_AUTH__SECRET": "s" * 32,
        "PICSHARE_DATA__DIR": str(tmp_path / "data"),
    }
    command = ["serve", "--role", "api", "--workers", "2", "--port", str(port)]
    service = Service(command, folder=tmp_path, name="api", port=port, env=env)
    await service.start()
    await eventually(lambda: service.log().count("started") >= 2, within=PATIENCE)
    yield service
    assert service.process is not None
    if service.process.returncode is None:
        await service.stop()


def processes_of(service: Service) -> list[psutil.Process]:
    """Return the serving processes."""
    return psutil.Process(service.pid).children()


async def scraped(service: Service) -> str:
    """Return the metrics, as whichever process accepts the connection returns them."""
    async with aiohttp.ClientSession() as session, session.get(f"{service.url}/metrics") as response:
        assert response.status == 200
        return await response.text()


async def test_a_scrape_has_every_process_and_a_killed_one_is_replaced(service: Service) -> None:
    """Any process returns the metrics of all. While one is dead no request is refused; then another replaces it."""
    for _ in range(4):
        text = await scraped(service)
        assert set(re.findall(r'picshare_info{process="(\d)",version=', text)) == {"0", "1"}
        assert "picshare_serving_processes 2.0" in text
    # SIGHUP has no meaning without certificates, and must not end what it is passed on to.
    os.kill(service.pid, signal.SIGHUP)
    killed, kept = processes_of(service)
    killed.kill()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        for _ in range(20):
            async with session.get(f"{service.url}/healthz") as response:
                assert response.status == 200

    async def replaced() -> bool:
        text = await scraped(service)
        return "picshare_serving_process_restarts_total 1.0" in text and "picshare_serving_processes 2.0" in text

    await eventually(replaced, within=PATIENCE)
    pids = {process.pid for process in processes_of(service)}
    assert kept.pid in pids
    assert killed.pid not in pids
    assert await service.stop(within=PATIENCE) == 0
    assert service.log().count("stopping") == 3  # the parent and both processes
