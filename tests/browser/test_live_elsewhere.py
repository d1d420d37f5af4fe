"""The live client in the page of another site, as docs/live.md shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page

from tests.browser.scripted_server import ScriptedServer
from tests.support.documents import blocks
from tests.support.eventually import eventually

EXAMPLE = next(block.text for block in blocks("docs/live.md", "js") if "/static/live.js" in block.text)
# Functions that the example expects in the page.
AROUND = """
window.shown = [];
window.show = (data) => shown.push(data);
window.refetch = () => shown.push("fetched");
"""


@pytest_asyncio.fixture(loop_scope="session")
async def other_site(server: ScriptedServer) -> AsyncIterator[str]:
    """The address of another site, whose server forwards PicShare's tickets."""

    async def page(_request: web.Request) -> web.Response:
        scripts = '<script src="/around.js"></script><script type="module" src="/example.js"></script>'
        policy = (
            f"default-src 'self'; script-src 'self' {server.url}; connect-src 'self' {server.url.replace('http', 'ws')}"
        )
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=f"<!doctype html>{scripts}", content_type="text/html", headers=headers)

    async def around(_request: web.Request) -> web.Response:
        return web.Response(text=AROUND, content_type="text/javascript")

    async def example(_request: web.Request) -> web.Response:
        script = EXAMPLE.replace("https://photos.example", server.url)
        return web.Response(text=script, content_type="text/javascript")

    async def ticket(_request: web.Request) -> web.Response:
        async with aiohttp.ClientSession() as http, http.post(f"{server.url}/ticket") as answer:
            return web.json_response(await answer.json())

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/around.js", around), web.get("/example.js", example)])
    app.add_routes([web.post("/live-ticket", ticket)])
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_the_documents_example_works_on_another_site(server: ScriptedServer, page: Page, other_site: str) -> None:
    """A page of another origin imports the client from PicShare, connects, receives publications and recovers."""
    await page.goto(other_site)
    await eventually(lambda: _title(page, "live"))
    await eventually(lambda: server.sent("subscribe") == [{"channel": "photo:01ABCDEFGHJKM"}])
    await server.publish(1, "one")
    server.history.append((2, "two"))
    await server.close(3001)
    await server.connected(2)

    async def received() -> bool:
        shown = await page.evaluate("() => shown")
        assert sorted(shown) == ["fetched", "fetched", "one", "two"], shown
        return True

    await eventually(received)


async def _title(page: Page, expected: str) -> bool:
    return await page.title() == expected
