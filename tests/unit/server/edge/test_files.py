"""Files over HTTP: which ranges are served, and which responses may be cached."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.access_log import AccessRecord
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.files import FileResponse
from server.edge.middleware import edge

TEXT = b"0123456789"
YEAR = "public, max-age=31536000, immutable"

Client = TestClient[web.Request, web.Application]


class Statuses:
    """The statuses in the access log, and those in the metrics."""

    def __init__(self) -> None:
        self.logged: list[int] = []
        self.counted: list[int] = []

    def record(self, access: AccessRecord) -> None:
        """Keep the status of an event of the access log."""
        self.logged.append(access.status)

    def request_done(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Keep the status of a request in the metrics."""
        assert method
        assert route
        assert seconds >= 0
        self.counted.append(status)


@pytest.fixture
def statuses() -> Statuses:
    """What the server of `client` records."""
    return Statuses()


@pytest.fixture
async def client(tmp_path: Path, statuses: Statuses) -> AsyncIterator[Client]:
    """A client of a server that serves one file under `/file`, and one that has vanished under `/gone`."""
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    os.utime(path, (1_700_000_000.5, 1_700_000_000.5))

    def serve(name: str) -> web.RouteDef:
        async def handler(_request: web.Request) -> web.StreamResponse:
            headers = {
                "Cache-Control": YEAR,
                "Content-Type": "image/jpeg",
                "Content-Disposition": 'attachment; filename="x"',
            }
            return FileResponse(tmp_path / name, headers=headers)

        return web.get(f"/{name}", handler)

    middleware = edge(ClientAddresses(()), CrossOrigin(()), statuses, statuses, secure=False)
    app = web.Application(middlewares=[middleware])
    app.router.add_routes([serve("file"), serve("gone")])
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(
    ("given", "status", "body"),
    [
        ("bytes=2-4", 206, b"234"),
        ("Bytes=8-", 206, b"89"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-300", 206, TEXT),
        ("bytes=5-100", 206, b"56789"),
        ("seconds=1-2", 200, TEXT),  # an unknown unit
        ("bytes=0-1,4-5", 200, TEXT),  # several ranges
        ("bytes=4-2", 200, TEXT),
        ("bytes=-0", 200, TEXT),
        ("bytes=-", 200, TEXT),
        ("bytes=a-b", 200, TEXT),
        ("bytes=" + "9" * 5000 + "-", 200, TEXT),
        ("", 200, TEXT),
    ],
)
async def test_one_range_of_bytes_is_served(client: Client, given: str, status: int, body: bytes) -> None:
    """One satisfiable range is a 206; whatever is not a range of bytes is ignored."""
    response = await client.get("/file", headers={"Range": given})
    assert (response.status, await response.read()) == (status, body)
    assert ("Content-Range" in response.headers) is (status != 200)


async def test_a_range_of_a_head_is_ignored(client: Client) -> None:
    """Ranges are defined for GET alone."""
    response = await client.head("/file", headers={"Range": "bytes=2-4"})
    assert (response.status, response.headers["Content-Length"]) == (200, "10")


async def test_if_range_decides_on_the_range(client: Client) -> None:
    """The range is served if the validator is that of the file, by entity tag or by date; else the whole file."""
    first = await client.get("/file")
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]
    other = "Tue, 14 Nov 2023 22:13:22 GMT"
    assert other != date
    for validator, status in (
        (tag, 206),
        (date, 206),
        (f"W/{tag}", 200),
        ('"other"', 200),
        (other, 200),
        ("nonsense", 200),
    ):
        response = await client.get("/file", headers={"Range": "bytes=0-1", "If-Range": validator})
        assert response.status == status, validator


async def test_only_the_file_s_own_responses_are_cached(client: Client, statuses: Statuses) -> None:
    """200, 206 and 304 have the file's Cache-Control; errors are not stored, and have no type or name of the file.

    The access log and the metrics have the status that was sent.
    """
    tag = (await client.get("/file")).headers["ETag"]
    cases = [
        ("/file", {}, 200),
        ("/file", {"Range": "bytes=0-1"}, 206),
        ("/file", {"If-None-Match": tag}, 304),
        ("/file", {"If-Match": '"other"'}, 412),
        ("/file", {"If-Unmodified-Since": "Tue, 14 Nov 2000 22:13:22 GMT"}, 412),
        ("/file", {"Range": "bytes=10-"}, 416),
        ("/gone", {}, 404),
    ]
    for path, headers, status in cases:
        response = await client.get(path, headers=headers)
        assert response.status == status
        assert response.headers["Cache-Control"] == (YEAR if status < 400 else "no-store"), status
        if status >= 400:
            assert "Content-Disposition" not in response.headers
        assert (statuses.logged[-1], statuses.counted[-1]) == (status, status)
    assert len(statuses.logged) == len(statuses.counted) == 1 + len(cases)


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/file", {"If-Match": '"other"'}, 412, "precondition_failed"),
        ("/file", {"Range": "bytes=10-"}, 416, "range_not_satisfiable"),
        ("/gone", {}, 404, "route_not_found"),
    ],
)
async def test_an_error_is_a_problem(
    client: Client, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """The body is problem+json, and that of a HEAD has the same length and is not sent."""
    response = await client.get(path, headers=headers)
    assert response.content_type == "application/problem+json"
    problem = await response.json(content_type=None)
    assert (problem["status"], problem["code"]) == (status, code)
    if status == 416:
        assert response.headers["Content-Range"] == "bytes */10"
    else:
        head = await client.head(path, headers=headers)
        assert (head.status, head.headers["Content-Length"]) == (status, response.headers["Content-Length"])
        # The connection is still in order: nothing followed the head.
        assert (await (await client.get("/file")).read()) == TEXT


async def test_a_file_that_cannot_be_opened_now_is_a_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without file descriptors the response is temporary, and not that there is no such file."""

    def open_nothing(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", open_nothing)
        response = await client.get("/file")
    assert (response.status, (await response.json(content_type=None))["code"]) == (503, "unavailable")
    assert (response.headers["Retry-After"], response.headers["Cache-Control"]) == ("2", "no-store")
    assert (await client.get("/file")).status == 200
