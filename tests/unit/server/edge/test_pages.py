"""The files of the web application: nothing outside their directory is served."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.access_log import EventLog
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.middleware import NoHttpMetrics, edge
from server.edge.pages import CLIENT_ROUTES, LINK_ROUTES, Pages
from tests.support.documents import ROOT
from tests.support.eventually import DEADLINE
from tests.support.raw_http import exchange


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/static/inside.txt", 200),
        ("/static/below/../inside.txt", 200),
        ("/static/../secret.txt", 404),
        ("/static/..%2Fsecret.txt", 404),
        ("/static/%2e%2e/secret.txt", 404),
        ("/static/%2e%2e%2fsecret.txt", 404),
        ("/static/below/..%2f..%2fsecret.txt", 404),
        ("/static/..%2Fstatic-old%2Fsecret.txt", 404),
        ("/static/link.txt", 404),
        ("/static/linked/secret.txt", 404),
        ("/static/{root}/secret.txt", 404),
        ("/static/%2F{root}/secret.txt", 404),
        ("/static/secret.txt%00.txt", 404),
        ("/static/inside.py", 404),
        ("/static/below", 404),
    ],
)
async def test_nothing_outside_the_directory_is_served(tmp_path: Path, path: str, status: int) -> None:
    """Files outside are not found by any spelling of the path, nor through a link, even if their type is served."""
    static, old = tmp_path / "static", tmp_path / "static-old"
    (static / "below").mkdir(parents=True)
    old.mkdir()
    for file in (tmp_path / "secret.txt", old / "secret.txt", static / "inside.txt", static / "inside.py"):
        file.write_text("content")
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    (static / "linked").symlink_to(tmp_path, target_is_directory=True)
    app = web.Application()
    app.router.add_routes(Pages(static).routes())
    async with TestServer(app) as server:
        target = path.replace("{root}", str(tmp_path).lstrip("/"))
        request = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        response = await exchange(server.port or 0, request.encode(), within=DEADLINE)
    assert response.status == status, response.text


def test_the_pages_are_those_of_the_application() -> None:
    """Each path that the browser routes is a page, and any other one is a 404 by its status, too."""
    text = (ROOT / "static/js/app.js").read_text().partition("const ROUTES = [")[2].partition("];")[0]
    text += (ROOT / "static/js/settings/settings_paths.js").read_text().partition("SETTINGS_PATHS = [")[2]
    routed = {re.sub(r":(\w+)", "{}", path) for path in re.findall(r'(?:\[|^ +)"(/[^"]*)"', text, re.MULTILINE)}
    served = {
        re.sub(r"\{\w+\}", "{}", path.replace("{list:followers|following}", name))
        for path in (*CLIENT_ROUTES, *LINK_ROUTES)
        for name in ("followers", "following")
    }
    assert served == routed


async def test_pages_of_links_name_themselves_to_no_address() -> None:
    """Their Referrer-Policy is kept by the middleware, which gives other pages one that allows the own origin."""
    app = web.Application(
        middlewares=[edge(ClientAddresses(()), CrossOrigin(()), NoHttpMetrics(), EventLog(), secure=False)]
    )
    app.router.add_routes(Pages(ROOT / "static").routes())
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        for path, policy in (*((path, "no-referrer") for path in LINK_ROUTES), ("/signin", "same-origin")):
            async with session.get(server.make_url(path)) as response:
                assert (response.status, response.headers["Referrer-Policy"]) == (200, policy)


@pytest.mark.parametrize(
    ("cookie", "tag"),
    [
        ("dark", '<html data-theme="dark" '),
        ("light", '<html data-theme="light" '),
        ('"><script', "<html "),
        ("", "<html "),
    ],
)
async def test_a_page_has_the_theme_of_the_browser(cookie: str, tag: str) -> None:
    """From its first byte on, and with a tag of its own; another value of the cookie is ignored."""
    app = web.Application()
    app.router.add_routes(Pages(ROOT / "static").routes())
    async with TestClient(TestServer(app)) as client:
        plain = await client.get("/signin")
        page = await client.get("/signin", headers={"Cookie": f"picshare_theme={cookie}"})
        assert tag in await page.text()
        assert (page.headers["ETag"] == plain.headers["ETag"]) is ("data-theme" not in tag)
