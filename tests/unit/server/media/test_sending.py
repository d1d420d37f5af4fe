"""Objects of a remote store are served exactly as files are."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.access_log import AccessRecord
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.middleware import edge
from server.media.sending import send_blob
from storage.blobs.port import Blob
from storage.errors import UnavailableError

DATA = bytes(range(256)) * 40
TAG = "abc-r1-320.jpg"
WRITTEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DATE, LATER, EARLIER = (f"Fri, 02 Jan 2026 03:04:0{second} GMT" for second in (5, 6, 4))
COMPARED = (
    "ETag",
    "X-Content-Type-Options",
    "Cross-Origin-Resource-Policy",
    "Content-Type",
    "Last-Modified",
    "Accept-Ranges",
    "Content-Range",
    "Content-Length",
    "Cache-Control",
    "X-Of",
)
REQUESTS: list[tuple[str, Mapping[str, str], int]] = [
    ("GET", {}, 200),
    ("HEAD", {}, 200),
    ("GET", {"Range": "bytes=0-9"}, 206),
    ("GET", {"Range": "bytes=100-"}, 206),
    ("GET", {"Range": "bytes=-7"}, 206),
    ("GET", {"Range": "bytes=-99999"}, 206),
    ("GET", {"Range": "bytes=5-999999"}, 206),
    ("GET", {"Range": "bytes=10240-"}, 416),
    ("GET", {"Range": "bytes=9-3"}, 200),
    ("GET", {"Range": "bytes=0-1,5-6"}, 200),
    ("GET", {"Range": "lines=0-9"}, 200),
    ("HEAD", {"Range": "bytes=0-9"}, 200),
    ("GET", {"Range": "bytes=0-9", "If-Range": f'"{TAG}"'}, 206),
    ("GET", {"Range": "bytes=0-9", "If-Range": f'W/"{TAG}"'}, 200),
    ("GET", {"Range": "bytes=0-9", "If-Range": '"other"'}, 200),
    ("GET", {"Range": "bytes=0-9", "If-Range": DATE}, 206),
    ("GET", {"Range": "bytes=0-9", "If-Range": LATER}, 200),
    ("GET", {"If-None-Match": f'"{TAG}"'}, 304),
    ("GET", {"If-None-Match": f'W/"{TAG}"'}, 304),
    ("GET", {"If-None-Match": "*"}, 304),
    ("GET", {"If-None-Match": f'"other", "{TAG}"'}, 304),
    ("HEAD", {"If-None-Match": f'"{TAG}"'}, 304),
    ("GET", {"If-None-Match": '"other"'}, 200),
    ("GET", {"If-None-Match": '"other"', "If-Modified-Since": LATER}, 200),
    ("GET", {"If-Modified-Since": DATE}, 304),
    ("GET", {"If-Modified-Since": EARLIER}, 200),
    ("GET", {"If-Modified-Since": "yesterday"}, 200),
    ("GET", {"If-Match": f'"{TAG}"'}, 200),
    ("GET", {"If-Match": "*"}, 200),
    ("GET", {"If-Match": f'W/"{TAG}"'}, 412),
    ("GET", {"If-Match": '"other"'}, 412),
    ("GET", {"If-Match": f'"{TAG}"', "If-Unmodified-Since": EARLIER}, 200),
    ("GET", {"If-Unmodified-Since": DATE}, 200),
    ("GET", {"If-Unmodified-Since": EARLIER}, 412),
]


class Nothing:
    """Records nothing."""

    def record(self, access: AccessRecord) -> None:
        """Do nothing."""

    def request_done(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Do nothing."""


class Scene:
    """One object as a file and as the object of a remote store; `cut` ends the reading of the latter."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "image"
        self._path.write_bytes(DATA)
        os.utime(self._path, (WRITTEN.timestamp(),) * 2)
        self.cut: Exception | None = None

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Send the object; the path of the request selects the kind of store."""
        path = self._path if request.path == "/file" else None
        blob = Blob(size=len(DATA), content_type="image/jpeg", modified=WRITTEN, path=path, chunks=self._chunks)
        headers = {"Content-Type": "image/jpeg", "Cache-Control": "public, max-age=9"}
        return send_blob(request, blob, headers, tag=TAG)

    async def _chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        data = DATA[start:end]
        for position in range(0, len(data), 1000):
            yield data[position : position + 1000]
            if self.cut is not None:
                raise self.cut


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """The object."""
    return Scene(tmp_path)


@pytest.fixture
async def client(scene: Scene) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """A client of a server with the object."""
    nothing = Nothing()
    app = web.Application(middlewares=[edge(ClientAddresses(()), CrossOrigin(()), nothing, nothing, secure=False)])
    app.router.add_get("/{kind}", scene.respond)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(("method", "headers", "status"), REQUESTS)
async def test_as_a_file(
    client: TestClient[web.Request, web.Application], method: str, headers: Mapping[str, str], status: int
) -> None:
    """Conditional requests and ranges get the same status, headers and bytes as those for a file."""
    seen = []
    for kind in ("/file", "/remote"):
        response = await client.request(method, kind, headers=headers)
        named = {name: response.headers.get(name) for name in COMPARED}
        seen.append((response.status, named, await response.read() if status < 400 else b""))
    assert seen[1] == seen[0]
    assert seen[1][0] == status


async def test_a_cut_body_is_no_whole_response(client: TestClient[web.Request, web.Application], scene: Scene) -> None:
    """If the store fails in the middle, the connection is closed, so that no client or cache keeps a part."""
    scene.cut = UnavailableError("blobs", "cut")
    with pytest.raises(aiohttp.ClientPayloadError):
        await (await client.get("/remote")).read()
    scene.cut = None
    assert await (await client.get("/remote")).read() == DATA
