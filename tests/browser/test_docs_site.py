"""The documentation in a browser: the site under its policy, and the page of the tutorial."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from server.edge.access_log import EventLog
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.middleware import NoHttpMetrics, edge
from server.edge.pages import Pages
from tests.browser.visitor import PHONE, Site
from tests.support.api_user import ApiUser
from tests.support.documents import ADDRESS, ROOT, blocks
from tests.support.pictures import PHOTOS


@asynccontextmanager
async def _serving(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of static files that has only the site of the present documents."""
    static = tmp_path_factory.mktemp("static")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(static / "site")]
    subprocess.run(command, cwd=ROOT, check=True)
    return static


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_site_works_under_its_policy(page: Page, static: Path, scheme: str) -> None:
    """On a phone a reader finds a section by search and changes the colours; the browser reports no error."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    middleware = edge(ClientAddresses(()), CrossOrigin(()), NoHttpMetrics(), EventLog(), secure=False)
    app = web.Application(middlewares=[middleware])
    app.router.add_routes(Pages(static).routes())
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    async with _serving(app) as url:
        await page.goto(f"{url}/docs/")
        await expect(page.locator("body")).to_have_attribute(
            "data-md-color-scheme", "slate" if scheme == "dark" else "default"
        )
        await page.locator(".md-header label[for=__search]").first.click()
        await page.get_by_role("textbox", name="Search").fill("tombstones")
        await page.locator(".md-search-result__link").first.click()
        await expect(page.locator("h1").first).to_contain_text("Why is it so?")
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert errors == []


async def test_the_page_of_the_tutorial_is_live(site: Site, page_port: int) -> None:
    """The page shows the feed of the tutorial's user, and at its top a photo that is uploaded meanwhile."""
    text = blocks("docs/tutorial.md", "html")[0].text.replace(ADDRESS, site.url)

    async def index(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", index)
    ann = await site.create_account()
    async with aiohttp.ClientSession() as http, _serving(app, page_port) as url:
        ben = await ApiUser.sign_up(http, site.url, "tutorial_ben")
        await ben.follow(ann)
        visitor = await site.visitor(ben)
        await visitor.page.goto(url)
        await expect(visitor.page.locator("#state")).to_have_text("live")
        await ann.upload(PHOTOS / "cat.jpg", "A cat")
        await expect(visitor.page.locator("#photos li").first).to_have_text(f"{ann.name}: A cat")
