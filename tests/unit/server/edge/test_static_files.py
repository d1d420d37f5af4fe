"""The files of the web application: their version, their compression, and what browsers may keep."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import brotli
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge import static_files
from server.edge.pages import Pages
from server.edge.static_files import StaticFiles

_BROTLI, _GZIP = ("br", brotli.decompress), ("gzip", gzip.decompress)
_ENCODINGS = {"gzip, deflate, br, zstd": _BROTLI, "BR;q=0.5": _BROTLI, "gzip": _GZIP, "br; q=0, gzip": _GZIP}
SCRIPT = 'import { a } from "./a.js"; // ' + "x" * 1000


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small application."""
    (tmp_path / "js").mkdir()
    (tmp_path / "index.html").write_text('<script src="/static/js/app.js"></script><a href="/static-page">')
    (tmp_path / "js/app.js").write_text(SCRIPT)
    (tmp_path / "js/a.js").write_text("export const a = 1;")
    return tmp_path


@pytest.fixture
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the directory at each request."""
    monkeypatch.setattr(static_files, "_REFRESH_INTERVAL", 0.0)


async def _headers(client: TestClient[web.Request, web.Application], path: str, **sent: str) -> tuple[int, str, str]:
    async with client.get(path, headers={"Accept-Encoding": "identity", **sent}) as response:
        return response.status, response.headers["Cache-Control"], await response.text()


@pytest.mark.usefixtures("always_due")
async def test_a_page_refers_to_files_that_are_kept(directory: Path) -> None:
    """The URLs in a page have the version; it changes with any file, and the former one is not kept any more."""
    app = web.Application()
    app.router.add_routes(Pages(directory).routes())
    async with TestClient(TestServer(app)) as client:
        version = StaticFiles(directory).current().name
        page = f'<script src="/static/v-{version}/js/app.js"></script><a href="/static-page">'
        assert await _headers(client, "/") == (200, "no-cache", page)
        kept = "public, max-age=31536000, immutable"
        assert await _headers(client, f"/static/v-{version}/js/app.js") == (200, kept, SCRIPT)
        assert await _headers(client, "/static/js/app.js") == (200, "no-cache", SCRIPT)
        assert (await client.get(f"/static/v-{version}/../../index.html")).status == 404
        assert (await client.get(f"/static/v-{version}/js/b.js")).status == 404

        (directory / "js/a.js").write_text("export const a = 2;")
        fresh = StaticFiles(directory).current().name
        assert fresh != version
        assert f"v-{fresh}/" in (await _headers(client, "/"))[2]
        assert await _headers(client, f"/static/v-{version}/js/a.js") == (200, "no-cache", "export const a = 2;")
        assert (await _headers(client, f"/static/v-{fresh}/js/a.js"))[1] == kept


async def test_compression_and_revalidation(directory: Path) -> None:
    """A client that accepts Brotli or gzip gets it if it is smaller; a client that has the file gets a 304."""
    app = web.Application()
    app.router.add_routes(Pages(directory).routes())
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        plain = await client.get("/static/js/app.js", headers={"Accept-Encoding": "zstd"})
        assert "Content-Encoding" not in plain.headers
        for accepted, (encoding, decompress) in _ENCODINGS.items():
            async with client.get("/static/js/app.js", headers={"Accept-Encoding": accepted}) as packed:
                assert packed.headers["Content-Encoding"] == encoding
                assert decompress(await packed.read()).decode() == await plain.text() == SCRIPT
        assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert packed.headers["Content-Type"] == "text/javascript; charset=utf-8"
        small = await client.get("/static/js/a.js", headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in small.headers
        tag = plain.headers["ETag"]
        assert packed.headers["ETag"] == tag
        for known, status in ((tag, 304), ("*", 304), ('"other"', 200)):
            response = await client.get("/static/js/app.js", headers={"If-None-Match": known})
            assert response.status == status
            assert response.headers["ETag"] == tag
        assert (await client.head("/static/js/app.js")).status == 200


@pytest.mark.usefixtures("always_due")
def test_unchanged_files_are_not_read_again(directory: Path) -> None:
    """The same version is returned while neither time nor size of a file changes; a change of either is seen."""
    files = StaticFiles(directory)
    version = files.current()
    assert files.current() is version
    script = directory / "js/a.js"
    os.utime(script, ns=(0, script.stat().st_mtime_ns + 1))
    assert files.current() is not version
    assert files.current().name == version.name  # the content is the same
    script.unlink()
    assert files.current().find("js/a.js") is None


def test_the_directory_is_looked_at_once_a_second(directory: Path) -> None:
    """Between two looks no request reads the directory."""
    files = StaticFiles(directory)
    assert not files.due
    (directory / "js/a.js").write_text("export const a = 3;")
    assert files.current().files["js/a.js"].body == b"export const a = 1;"
