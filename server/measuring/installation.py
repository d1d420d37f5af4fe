"""A private installation for a measurement: `picshare run` with embedded engines, in a directory that is removed."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from server.measuring.processor_time import require_processor_time
from server.measuring.units import Components, Costs, measure_units
from server.measuring.workload import Workload
from storage.embedded.postgres import embedded_postgres
from storage.embedded.supervisor import child
from storage.embedded.valkey import embedded_valkey

ACCOUNTS = 20
START_DEADLINE = 120.0  # seconds
UNLIMITED = {
    f"PICSHARE_LIMITS__{name}": "1000000/m"
    for name in (
        *("READS", "WRITES", "LIKES", "UPLOADS", "FOLLOWS", "NEW_UPLOADS", "NEW_COMMENTS", "NEW_FOLLOWS"),
        *("ANONYMOUS", "SIGN_UP_ADDRESS"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A running installation: its address and the processes of its components."""

    url: str
    components: Components


async def measure_here(*, scale: float = 1.0) -> Costs:
    """Start an installation, measure it and remove it; takes about a minute.

    Raises `ServerError` or `EngineError` if it does not start or answers with errors.
    """
    require_processor_time()
    async with (
        running_installation() as here,
        Workload.open(here.url, here.url, accounts=ACCOUNTS) as workload,
    ):
        return await measure_units(workload, here.components, scale=scale)


@asynccontextmanager
async def running_installation() -> AsyncIterator[Installation]:
    """Run `picshare run` on engines of its own until the end of the block."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psm-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis_url = await stack.enter_async_context(embedded_valkey(folder))
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        settings = {
            **UNLIMITED,
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_REDIS__URL": redis_url,
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
            "PICSHARE_LOG__LEVEL": "warning",
            # Not a part of any unit: accounts are created before the measurement.
            "PICSHARE_AUTH__HASH_MEMORY": "19",
            "PICSHARE_AUTH__HASH_PASSES": "2",
        }
        inherited = [f"{name}={value}" for name, value in os.environ.items() if not name.startswith("PICSHARE_")]
        command = ["env", "-i", *inherited, *[f"{name}={value}" for name, value in settings.items()]]
        command += [sys.executable, "-m", "server.cli", "run", "--no-demo", "--port", str(port)]
        process = await stack.enter_async_context(
            child(
                [*command, "--data", str(folder / "data")],
                name="picshare run",
                log_file=folder / "run.log",
                stop_signal=signal.SIGTERM,
                ready=lambda: is_ready(url),
                deadline=START_DEADLINE,
            )
        )
        pids = {
            "picshare": [process.pid],
            "postgres": [await asyncio.to_thread(postgres_pid, folder)],
            "redis": [await redis_pid(redis_url)],
        }
        yield Installation(url=url, components=Components(pids=pids))


def postgres_pid(folder: Path) -> int:
    """Return the id of the first process of an embedded PostgreSQL with its cluster in this folder."""
    return int((folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


async def redis_pid(url: str) -> int:
    """Return the process id of a Redis on this machine."""
    client = Redis.from_url(url)
    try:
        return int((await client.info("server"))["process_id"])
    finally:
        await client.aclose()


async def is_ready(url: str) -> bool:
    """Return whether a process is ready."""
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
