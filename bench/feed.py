"""`GET /feed` (20 photos, authenticated, rate-limited) against a handler that returns the same bytes from memory.

That handler is in the same application, behind the same HTTP edge, and once more in a bare application. One process
(`bench.feed_server`) serves all of them, in turn, to the same client; ratios are formed within each round. The process
has a core to itself, and the client and the engines have the others: what is compared is what the process can do,
not what the client and Redis leave to it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.cores import Cores, assign_cores
from bench.feed_community import ONE_AUTHOR
from bench.http_load import request_rate
from bench.report import RATIO, Figure, figure, ratios
from storage.embedded.postgres import embedded_postgres
from storage.postgres.migrate import migrate
from tests.engines.private import free_port, redis_server

GROUP = "GET /feed, 20 photos"
CONNECTIONS = 32
API, MEMORY = "/api/v1/feed?limit=20", "/bench/memory"


async def measure(*, quick: bool) -> list[Figure]:
    """Return the rates and their ratios; raises `TooFewCoresError` where there is one core only."""
    runs, seconds = (3, 1.0) if quick else (7, 3.0)
    cores = assign_cores(os.sched_getaffinity(0))
    async with feed_server(cores) as (port, memory_port, tokens, _):
        rate_of = partial(request_rate, token=tokens[ONE_AUTHOR], connections=CONNECTIONS)
        rate_of(port, API, seconds=1.0)
        feed, memory, bare = [], [], []
        for _ in range(runs):
            feed.append(rate_of(port, API, seconds=seconds))
            memory.append(rate_of(port, MEMORY, seconds=seconds))
            bare.append(rate_of(memory_port, MEMORY, seconds=seconds))
    return [
        figure(GROUP, "the service", "/s", feed),
        figure(GROUP, "same bytes from memory, same application", "/s", memory),
        figure(GROUP, "same bytes from memory, bare aiohttp, same process", "/s", bare),
        figure(
            GROUP,
            "ratio to the same application",
            RATIO,
            ratios(feed, memory),
            at_least=0.4,
            limit="a handler behind the same edge that returns the finished bytes from memory",
        ),
        figure(
            GROUP,
            "ratio to bare aiohttp",
            RATIO,
            ratios(feed, bare),
            at_least=0.35,
            limit="aiohttp alone with a handler that returns the finished bytes from memory",
        ),
    ]


class FeedServer(NamedTuple):
    """The ports of the API and of the bare application, and the access tokens of the viewers (`feed_community`).

    `pid` is the id of their process.
    """

    port: int
    memory_port: int
    tokens: Mapping[str, str]
    pid: int


@asynccontextmanager
async def feed_server(
    cores: Cores, *, traced: Mapping[int, float] | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[FeedServer]:
    """Run the server on its core, and the engines on the others, until the end of the block.

    It serves the API on the ports `traced`, too, each with traces of this share of its requests. `settings` are further
    variables of its environment.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.other_cores_only())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis_url = stack.enter_context(redis_server(folder / "redis"))
        await migrate(dsn)
        port, memory_port = free_port(), free_port()
        environment = {
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_REDIS__URL": redis_url,
            "PICSHARE_BROKER__URL": "amqp://127.0.0.1/unused",
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
            "PICSHARE_LIMITS__READS": "100000000/m",
            "PICSHARE_SERVER__PORT": str(port),
            **(settings or {}),
        }
        command = cores.on_server_core(
            [sys.executable, "-m", "bench.feed_server", str(memory_port), json.dumps(traced or {})]
        )
        with (folder / "server.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment
            )
        stack.push_async_callback(process.wait)
        stack.callback(process.terminate)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        assert line, (folder / "server.log").read_text()[-3000:]
        yield FeedServer(port, memory_port, json.loads(line), process.pid)
