"""The pages that are measured: those of a service with its demonstration community, and a bare one for comparison."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from playwright._impl._api_structures import SetCookieParam

from tests.engines.private import free_port
from tests.support.eventually import eventually
from tests.support.service import Service

BARE = "bare page"
PAGES = ("landing", "feed", "photo", "profile")
_ACCOUNT = {"username": "demo", "password": "picshare-demo", "cookie": True}
_TEXT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A photo</title>
<meta name="viewport" content="width=device-width"><meta name="description" content="A photo.">
<style>body {{ margin: 0 }} img {{ width: 100%; max-width: 600px; height: auto }}</style></head>
<body><main><h1>A photo</h1><img src="/photo.webp" width="{width}" height="{height}" alt="A photo" fetchpriority="high">
</main></body></html>"""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page by its name; `cookies` signs a user in, for one browser: the page renews the tokens of its session."""

    name: str
    url: str
    cookies: Callable[[], Awaitable[Sequence[SetCookieParam]]]


@asynccontextmanager
async def served_pages() -> AsyncIterator[list[Page]]:
    """Serve the pages until the end of the block, the bare one first."""
    with tempfile.TemporaryDirectory(prefix="pslh-") as folder:
        port = free_port()
        service = Service(["run", "--port", str(port)], folder=Path(folder), name="run", port=port)
        await service.start(wait=False)
        try:
            await eventually(lambda: "sign in as demo" in service.log(), within=180)
            async with aiohttp.ClientSession() as http:
                sign_in = partial(_sign_in, http, service.url)
                photo = await _first_photo(http, service.url, await sign_in())
                async with _bare(http, service.url, photo) as bare:
                    author = photo["author"]["username"]
                    yield [
                        Page(name=BARE, url=bare, cookies=_nobody),
                        Page(name="landing", url=service.url, cookies=_nobody),
                        Page(name="feed", url=service.url, cookies=sign_in),
                        Page(name="photo", url=f"{service.url}/p/{photo['id']}", cookies=sign_in),
                        Page(name="profile", url=f"{service.url}/u/{author}", cookies=sign_in),
                    ]
        finally:
            await service.stop()


async def _nobody() -> Sequence[SetCookieParam]:
    return ()


async def _sign_in(http: aiohttp.ClientSession, url: str) -> list[SetCookieParam]:
    async with http.post(f"{url}/api/v1/tokens", json=_ACCOUNT) as response:
        response.raise_for_status()
        return [
            {"name": cookie.key, "value": cookie.value, "domain": "127.0.0.1", "path": cookie["path"] or "/"}
            for cookie in response.cookies.values()
        ]


async def _first_photo(http: aiohttp.ClientSession, url: str, cookies: Sequence[SetCookieParam]) -> dict[str, Any]:
    sent = {cookie["name"]: cookie["value"] for cookie in cookies}
    async with http.get(f"{url}/api/v1/feed", cookies=sent) as response:
        response.raise_for_status()
        photo: dict[str, Any] = (await response.json())["items"][0]
        return photo


@asynccontextmanager
async def _bare(http: aiohttp.ClientSession, url: str, photo: Mapping[str, Any]) -> AsyncIterator[str]:
    """Serve a page that has nothing but the photo, in the size that a phone loads in the feed."""
    sizes = photo["images"]["sizes"]
    size = min(sizes, key=lambda one: abs(one["width"] - 1080))
    async with http.get(url + size["webp"]) as response:
        image = await response.read()

    async def page(_request: web.Request) -> web.Response:
        text = _TEXT.format(width=size["width"], height=size["height"])
        response = web.Response(text=text, content_type="text/html")
        response.enable_compression()
        return response

    async def picture(_request: web.Request) -> web.Response:
        return web.Response(body=image, content_type="image/webp", headers={"Cache-Control": "max-age=31536000"})

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/photo.webp", picture)
    app.router.add_get("/favicon.ico", picture)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
