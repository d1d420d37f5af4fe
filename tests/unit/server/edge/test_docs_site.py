"""The documentation at `/docs/`: what is served of a build, under which policy, and what a missing build says."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.access_log import EventLog
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.middleware import NoHttpMetrics, edge
from server.edge.pages import Pages
from server.edge.static_files import StaticFiles

INLINE = "document.title"
PAGE = f'<script>{INLINE}</script><script src="a.js"></script><script type="application/json">{{}}</script>'
Site = TestClient[web.Request, web.Application]


def built(static: Path) -> Path:
    """Make a small site as a build leaves it, and return its folder."""
    site = static / "site"
    for folder in ("search", "live"):
        (site / folder).mkdir(parents=True)
    (site / "index.html").write_text(PAGE)
    (site / "live" / "index.html").write_text("live")
    (site / "404.html").write_text("no such page")
    (site / "notes.md").write_text("not of a known type")
    (site / "search" / "search_index.json").write_text("{}")
    return site


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Site]:
    """A client of the pages in `tmp_path`/static, with the middleware of every response."""
    (tmp_path / "static").mkdir()
    middleware = edge(ClientAddresses(()), CrossOrigin(()), NoHttpMetrics(), EventLog(), secure=False)
    app = web.Application(middlewares=[middleware])
    app.router.add_routes(Pages(tmp_path / "static").routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_page_may_run_its_own_scripts_alone(client: Site, tmp_path: Path) -> None:
    """The policy has the hash of each inline script that a browser executes, and nothing permits others."""
    built(tmp_path / "static")
    response = await client.get("/docs/")
    assert (response.status, await response.text()) == (200, PAGE)
    digest = base64.b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()
    policy = response.headers["Content-Security-Policy"]
    assert policy.endswith(f"; script-src 'self' 'sha256-{digest}'")
    assert "unsafe" not in policy
    assert response.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": response.headers["ETag"]}
    assert (await client.get("/docs/", headers=known)).status == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("live/", 200),
        ("live", 308),
        ("live/index.html", 200),
        ("nothing/", 404),
        ("notes.md", 404),
        ("secret.txt", 404),
        ("outside/secret.txt", 404),
        ("..%2Fsecret.txt", 404),
        ("%00", 404),
        ("x" * 3000, 404),
    ],
)
async def test_the_files_of_the_build_are_served_and_no_others(
    client: Site, tmp_path: Path, path: str, status: int
) -> None:
    """A page's address ends in a slash; every other address has the site's own page for missing ones, for browsers."""
    site = built(tmp_path / "static")
    (tmp_path / "static" / "secret.txt").write_text("secret")
    (site / "secret.txt").symlink_to(tmp_path / "static" / "secret.txt")
    (site / "outside").symlink_to(tmp_path / "static", target_is_directory=True)
    response = await client.get(f"/docs/{path}", allow_redirects=False, headers={"Accept": "text/html,*/*;q=0.8"})
    assert response.status == status
    if status == 404:
        assert await response.text() == "no such page"
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        program = await client.get(f"/docs/{path}", allow_redirects=False)
        assert (program.status, program.content_type) == (404, "application/problem+json")
    elif status == 308:
        assert response.headers["Location"] == "/docs/live/"


async def test_a_new_build_replaces_the_former(client: Site, tmp_path: Path) -> None:
    """Without a complete build the response says how to make one; after it each page is the new one."""
    for content in ("one", "three"):
        response = await client.get("/docs/")
        assert response.status == 404
        problem = await response.json()
        assert (problem["code"], "make docs" in problem["detail"]) == ("docs_not_built", True)
        site = built(tmp_path / "static")
        (site / "index.html").write_text(content)
        (site / "search" / "search_index.json").write_text(content)  # another size: another build
        assert await (await client.get("/docs/")).text() == content
        shutil.rmtree(site)


def test_the_site_is_no_part_of_the_application(tmp_path: Path) -> None:
    """Its files neither change the version of the application nor are read when a process starts."""
    (tmp_path / "index.html").write_text("page")
    before = StaticFiles(tmp_path).current()
    built(tmp_path)
    assert StaticFiles(tmp_path).current() == before
