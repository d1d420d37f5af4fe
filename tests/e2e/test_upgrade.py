"""The released version and this one side by side, on the same engines, under load."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.e2e.load import Load
from tests.engines.private import free_port, redis_server
from tests.engines.rabbitmq import rabbit_node
from tests.support.documents import ROOT
from tests.support.service import Service

pytestmark = pytest.mark.engines

RELEASED: str = json.loads((ROOT / "tests/data/messages.json").read_text())["commit"]


def source_of(commit: str, folder: Path) -> Path | None:
    """Extract the source of a commit into a folder; return None where there is no history, or not all of it."""
    shallow = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if shallow.stdout.strip() != "false":
        return None
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    assert archive.returncode == 0, f"{commit} of tests/data/messages.json is not in the history: record them again"
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


async def empty_database(dsn: str) -> str:
    """Create a database without a schema on the server of the tests; return its DSN."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE DATABASE upgrade")
    await connection.close()
    return dsn.replace("/picshare?", "/upgrade?")


def errors(service: Service) -> list[str]:
    """Return the lines of the log that report a failure."""
    return [line for line in service.log().splitlines() if '"level":"error"' in line]


async def test_both_versions_work_side_by_side(short_dir: Path, postgres_dsn: str) -> None:
    """This version migrates and starts while the released one serves; each handles the other's events and messages."""
    source = await asyncio.to_thread(source_of, RELEASED, short_dir / "released")
    if source is None:
        # A clone without history has only the recorded messages, which tests/unit compares.
        return
    dsn = await empty_database(postgres_dsn)
    with redis_server(short_dir / "redis") as redis, rabbit_node(short_dir / "mq") as rabbit:
        env = {
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_REDIS__URL": redis,
            "PICSHARE_BROKER__URL": rabbit.url,
            "PICSHARE_BLOBS__URL": f"file:{short_dir}/blobs",
            "PICSHARE_AUTH__SECRET": "the same secret for both versions, as in production",
            "PICSHARE_LOG__FORMAT": "json",
            "PICSHARE_LIMITS__UPLOADS": "100000/m",
            "PICSHARE_LIMITS__LIKES": "100000/m",
        }

        def service(name: str, source: Path) -> Service:
            port, data = free_port(), str(short_dir / f"data-{name}")
            command = ["run", "--no-demo", "--port", str(port), "--data", data]
            return Service(command, folder=short_dir, name=name, port=port, env=env, source=source)

        old, new = service("old", source), service("new", ROOT)
        try:
            await old.start()
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
                before = await Load.prepare(http, apis=[old.url], lives=[old.url])
                async with before.running():
                    await before.until(acknowledged=2)
                    # It applies its migrations and starts, under the load of the released version.
                    await new.start()
                    await before.until(acknowledged=len(before.acknowledged) + 2)
                both = await Load.prepare(http, apis=[old.url, new.url], lives=[new.url, old.url])
                async with both.running():
                    await both.until(acknowledged=12)
                for load in (before, both):
                    await load.everything_arrives(within=120)
                    await load.close()
                assert await old.stop() == 0, old.log()
                after = await Load.prepare(http, apis=[new.url], lives=[new.url])
                async with after.running():
                    await after.until(acknowledged=2)
                await after.everything_arrives(within=120)
                await after.close()
            assert errors(old) + errors(new) == []
        finally:
            for one in (old, new):
                if one.process is not None and one.process.returncode is None:
                    await one.stop()
