"""Processor time of nginx, with the shipped configuration, for a private image whose signature it verifies itself.

The yardstick is a public image from the same cache. Both have the same bytes, and neither reaches PicShare.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

import aiohttp

from bench.http_load import request_rate
from bench.report import RATIO, Figure, figure, ratios
from server.media.urls import MediaUrls
from tests.engines.nginx import Nginx, running_nginx
from tests.support.scripted_origin import Answer, Origin, running_origin

GROUP = "image of 150 kB from the cache of nginx"
CONNECTIONS = 16
_BODY = bytes(150_000)
_PREFIX = f"/media/r1/{'ab' * 32}/"
_PRIVATE = "private, max-age=3600"
_TICK = os.sysconf("SC_CLK_TCK")


async def measure(*, quick: bool) -> list[Figure]:
    """Return the microseconds of processor time for each image of both, and their ratio."""
    runs, seconds = (3, 1.0) if quick else (9, 2.0)
    secret = secrets.token_hex(32)
    public = f"{_PREFIX}1080.jpg"
    signed = f"{_PREFIX}320.jpg?{MediaUrls(secret.encode(), form='nginx').sign(_PREFIX)}"
    with tempfile.TemporaryDirectory(prefix="psb-") as folder:
        async with (
            running_origin() as origin,
            running_nginx(Path(folder) / "nginx", api=[origin.port], secret=secret) as nginx,
        ):
            await _fill(origin, nginx, {public: "public, max-age=31536000, immutable", signed: _PRIVATE})
            plain, private = [], []
            for _ in range(runs):
                plain.append(_microseconds(nginx, public, seconds))
                private.append(_microseconds(nginx, signed, seconds))
    return [
        figure(GROUP, "private, with a signature", "µs", private),
        figure(GROUP, "public", "µs", plain),
        figure(
            GROUP,
            "ratio to a public image",
            RATIO,
            ratios(private, plain),
            at_most=1.1,
            limit="the same without a signature to verify",
        ),
    ]


async def _fill(origin: Origin, nginx: Nginx, images: dict[str, str]) -> None:
    """Request each image twice; raise RuntimeError unless the second one is from the cache."""
    async with aiohttp.ClientSession(nginx.url) as session:
        for url, cache in images.items():
            origin.answers[url.partition("?")[0]] = Answer(_BODY, cache=cache)
            for expected in ("MISS", "HIT"):
                async with session.get(url) as response:
                    if response.headers.get("X-Cache") != expected:
                        raise RuntimeError(f"{response.status} {response.headers} instead of a {expected}")
                    await response.read()


def _microseconds(nginx: Nginx, path: str, seconds: float) -> float:
    before = workers_seconds(nginx.pid)
    responses = request_rate(nginx.port, path, "", connections=CONNECTIONS, seconds=seconds) * seconds
    return (workers_seconds(nginx.pid) - before) / responses * 1e6


def workers_seconds(pid: int) -> float:
    """Return the processor time of the children of a process, which are the workers of nginx."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(process_seconds(int(child)) for child in children)


def process_seconds(pid: int) -> float:
    """Return the processor time of a process."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICK
