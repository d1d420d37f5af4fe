"""The all-in-one process, killed under load: nothing that was acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.e2e.load import Load
from tests.engines.private import free_port
from tests.support.service import Service

pytestmark = pytest.mark.engines


async def test_nothing_acknowledged_is_lost_when_the_whole_process_is_killed_under_load(short_dir: Path) -> None:
    """SIGKILL ends API, workers, broker and engines at once; after the next start every photo arrives once."""
    port = free_port()
    service = Service(
        ["run", "--no-demo", "--port", str(port), "--data", str(short_dir / "data")],
        folder=short_dir,
        name="run",
        port=port,
        env={"PICSHARE_LIMITS__UPLOADS": "100000/m", "PICSHARE_LIMITS__LIKES": "100000/m"},
    )
    await service.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
            load = await Load.prepare(http, apis=[service.url], lives=[service.url])
            async with load.running():
                for _ in range(3):
                    await load.until(acknowledged=len(load.acknowledged) + 8)
                    await service.kill()
                    await service.start()
                await load.until(acknowledged=len(load.acknowledged) + 8)
            await load.everything_arrives(within=60)
            await load.close()
    finally:
        await service.stop()
