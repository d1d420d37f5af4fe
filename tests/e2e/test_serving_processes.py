"""Several serving processes on one port: restarted, drained, scraped and reloaded together."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest
import pytest_asyncio

from tests.engines.private import free_port
from tests.support.certificates import pair, served_names
from tests.support.eventually import eventually
from tests.support.service import Service

pytestmark = pytest.mark.engines

PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Site:
    """`picshare serve --role api --workers 2` with a certificate of its own, and a client that trusts any."""

    service: Service
    port: int
    folder: Path
    session: aiohttp.ClientSession

    async def text(self, path: str) -> str:
        """Return the body of a response, over a new connection."""
        async with self.session.get(f"https://127.0.0.1:{self.port}{path}") as response:
            assert response.status == 200, await response.text()
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
            return await response.text()

    def processes(self) -> list[psutil.Process]:
        """Return the serving processes."""
        return psutil.Process(self.service.pid).children()


@pytest_asyncio.fixture
async def site(database_dsn: str, real_redis_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A site of which both processes have started."""
    port, files = free_port(), pair(tmp_path, "one.example")
    env = {
        "PICSHARE_DATABASE__URL": database_dsn,
        "PICSHARE_REDIS__URL": real_redis_url,
        "PICSHARE_BROKER__URL": "amqp://127.0.0.1:1/",  # this role only writes to the outbox
        "PICSHARE_AUTH__SECRET": "s" * 32,
        "PICSHARE_DATA__DIR": str(tmp_path / "data"),
        "PICSHARE_SERVER__TLS_CERTIFICATE": str(files.certificate),
        "PICSHARE_SERVER__TLS_KEY": str(files.key),
    }
    command = ["serve", "--role", "api", "--workers", "2", "--port", str(port)]
    service = Service(command, folder=tmp_path, name="api", port=port, env=env)
    await service.start(wait=False)
    await eventually(lambda: len(re.findall(r"\bstarted\b", service.log())) == 2, within=PATIENCE)
    connector = aiohttp.TCPConnector(force_close=True, ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Site(service, port, tmp_path, session)
    assert service.process is not None
    if service.process.returncode is None:
        await service.stop()


async def test_processes_are_scraped_reloaded_replaced_and_drained_together(site: Site) -> None:
    """Any process returns the metrics of all, SIGHUP reaches all, and while one is dead no request is refused."""
    for _ in range(4):
        text = await site.text("/metrics")
        assert set(re.findall(r'picshare_info{process="(\d)",version=', text)) == {"0", "1"}
        assert "picshare_serving_processes 2.0" in text

    pair(site.folder, "two.example")
    os.kill(site.service.pid, signal.SIGHUP)

    async def reloaded() -> bool:
        names = {(await asyncio.to_thread(served_names, site.port))[0] for _ in range(8)}
        loads = re.findall(
            r'picshare_certificate_loads_total{process="(\d)",result="loaded"} 2.0', await site.text("/metrics")
        )
        return names == {"two.example"} and loads == ["0", "1"]

    await eventually(reloaded, within=PATIENCE)

    killed, kept = site.processes()
    killed.kill()
    for _ in range(20):
        await site.text("/healthz")

    async def replaced() -> bool:
        text = await site.text("/metrics")
        return "picshare_serving_process_restarts_total 1.0" in text and "picshare_serving_processes 2.0" in text

    await eventually(replaced, within=PATIENCE)
    pids = {process.pid for process in site.processes()}
    assert kept.pid in pids
    assert killed.pid not in pids
    assert await site.service.stop(within=PATIENCE) == 0
    assert len(re.findall(r"\bstopping\b", site.service.log())) == 3  # the parent and both processes
