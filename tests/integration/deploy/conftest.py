"""nginx with the shipped configuration, in front of a scripted origin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.engines.nginx import Nginx, running_nginx
from tests.support.api import SECRET
from tests.support.scripted_origin import Origin, running_origin


@dataclass(frozen=True)
class Reply:
    """A response through the cache; `cache` is its `X-Cache`."""

    status: int
    cache: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Edge:
    """An nginx, its origin, and a client."""

    nginx: Nginx
    origin: Origin
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Reply:
        """Request a path through nginx; underscores in the names of headers are hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(self.nginx.url + path, headers=sent) as response:
            return Reply(response.status, response.headers.get("X-Cache", ""), await response.read(), response.headers)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def edge(short_dir: Path, session: aiohttp.ClientSession) -> AsyncIterator[Edge]:
    """An nginx in front of a scripted origin."""
    async with (
        running_origin() as origin,
        running_nginx(short_dir, api=[origin.port], secret=SECRET.decode()) as nginx,
    ):
        yield Edge(nginx, origin, session)
