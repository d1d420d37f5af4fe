"""What the gateway adds to `GET /feed`: latency and processor time, with the shipped configuration of nginx.

One API process serves the same page directly, through the gateway, and through an nginx that does nothing but pass
requests on, which is the yardstick of what any nginx costs. All three are measured in turn in each round. The API
process has a core to itself.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGTERM

from bench.cores import assign_cores
from bench.edge import process_seconds, workers_seconds
from bench.feed import API, feed_server
from bench.feed_community import ONE_AUTHOR
from bench.http_load import Page, request_rate
from bench.report import RATIO, Figure, figure, ratios
from storage.embedded.supervisor import start, stop
from tests.engines.nginx import UNLIMITED, nginx_binary, running_nginx
from tests.engines.private import free_port
from tests.support.eventually import eventually

GROUP = "GET /feed, 20 photos, through nginx"
CONNECTIONS = 16


@dataclass(frozen=True)
class _Way:
    """A way to the API: a port, and the first process of the nginx on this way."""

    port: int
    nginx: int | None


@dataclass(frozen=True)
class _Sample:
    """One way in one round.

    `latency` is in milliseconds, of a request at a time; `server` and `nginx` are microseconds of processor time of a
    request under load.
    """

    latency: float
    server: float
    nginx: float


async def measure(*, quick: bool) -> list[Figure]:
    """Return what nginx adds; raises `TooFewCoresError` where there is one core only."""
    runs, seconds, pages = (3, 1.0, 300) if quick else (9, 2.0, 1000)
    cores = assign_cores(os.sched_getaffinity(0))
    async with feed_server(cores) as server, AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        secret = secrets.token_hex(32)
        shipped = await stack.enter_async_context(
            running_nginx(folder / "shipped", api=[server.port], secret=secret, changes=UNLIMITED, buffered=True)
        )
        plain_port, plain = await stack.enter_async_context(_plain_nginx(folder, server.port))
        ways = [_Way(server.port, None), _Way(shipped.port, shipped.pid), _Way(plain_port, plain)]
        measured = partial(_round, ways, server.pid, server.tokens[ONE_AUTHOR], seconds=seconds, pages=pages)
        measured()
        rounds = [measured() for _ in range(runs)]
    return _figures(rounds)


def _figures(rounds: list[list[_Sample]]) -> list[Figure]:
    bare, gateway, plain = ([samples[number] for samples in rounds] for number in range(3))
    added = [one.latency - other.latency for one, other in zip(gateway, bare, strict=True)]
    added_by_plain = [one.latency - other.latency for one, other in zip(plain, bare, strict=True)]
    together = [sample.server + sample.nginx for sample in gateway]
    return [
        figure(GROUP, "latency without nginx", "ms", [sample.latency for sample in bare]),
        figure(GROUP, "latency added", "ms", added),
        figure(GROUP, "latency added by a plain nginx", "ms", added_by_plain),
        figure(
            GROUP,
            "latency, ratio to a plain nginx",
            RATIO,
            ratios([sample.latency for sample in gateway], [sample.latency for sample in plain]),
            at_most=1.1,
            limit="an nginx that does nothing but pass requests on",
        ),
        figure(GROUP, "processor time of the API", "µs", [sample.server for sample in bare]),
        figure(GROUP, "processor time of nginx", "µs", [sample.nginx for sample in gateway]),
        figure(GROUP, "processor time of a plain nginx", "µs", [sample.nginx for sample in plain]),
        figure(
            GROUP,
            "processor time of API and nginx, ratio to API and plain nginx",
            RATIO,
            ratios(together, [sample.server + sample.nginx for sample in plain]),
            at_most=1.15,
            limit="an nginx that does nothing but pass requests on",
        ),
        figure(
            GROUP,
            "processor time of API and nginx, ratio to the API alone",
            RATIO,
            ratios(together, [sample.server for sample in bare]),
            at_most=1.15,
            limit="the same request to the API itself",
        ),
    ]


def _round(ways: list[_Way], server: int, token: str, *, seconds: float, pages: int) -> list[_Sample]:
    latencies = _latencies([way.port for way in ways], token, pages)
    return [
        _Sample(latency, *_processor_time(way, server, token, seconds))
        for way, latency in zip(ways, latencies, strict=True)
    ]


def _latencies(ports: list[int], token: str, pages: int) -> list[float]:
    """Return the median of each way; the ways take turns with each request, so that what disturbs one disturbs all."""
    connections = [Page(port, API, token) for port in ports]
    try:
        rows = [[connection.read() for connection in connections] for _ in range(pages)]
    finally:
        for connection in connections:
            connection.close()
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def _processor_time(way: _Way, server: int, token: str, seconds: float) -> tuple[float, float]:
    before = process_seconds(server), _nginx_seconds(way)
    requests = request_rate(way.port, API, token, connections=CONNECTIONS, seconds=seconds) * seconds
    after = process_seconds(server), _nginx_seconds(way)
    return (after[0] - before[0]) / requests * 1e6, (after[1] - before[1]) / requests * 1e6


def _nginx_seconds(way: _Way) -> float:
    return 0.0 if way.nginx is None else workers_seconds(way.nginx)


@asynccontextmanager
async def _plain_nginx(folder: Path, upstream: int) -> AsyncIterator[tuple[int, int]]:
    """Run an nginx that passes everything on; yield its port and the id of its first process."""
    port, config = free_port(), folder / "plain.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    paths = " ".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"{user} daemon off; worker_processes 2; pid {folder / 'plain.pid'}; error_log stderr;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ access_log off; keepalive_requests 1000000; {paths}\n"
        f"upstream api {{ server 127.0.0.1:{upstream}; keepalive 64; }}\n"
        f'server {{ listen 127.0.0.1:{port}; location / {{ proxy_http_version 1.1; proxy_set_header Connection "";'
        " proxy_pass http://api; } } }\n"
    )
    command = [nginx_binary(), "-p", str(folder), "-c", str(config), "-e", "stderr"]
    process = await start(command, name="nginx", log_file=folder / "plain.log", unprivileged=False)

    async def accepts() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(accepts, within=30)
        yield port, process.pid
    finally:
        await stop(process, SIGTERM)
