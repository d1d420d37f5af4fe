"""The main pages look as in the reference pictures, on a phone and on a desktop, in both themes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
import pytest_asyncio
from playwright.async_api import Route, ViewportSize

from tests.browser.appearance import SHARE, References, cells, differing, share, use_reference_fonts
from tests.browser.visitor import Site, Visitor, published
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import photograph

PHOTOS = {"temple": "before the crowds", "coffee": "first one today", "rocket": "up it goes", "cat": "opinions"}
SCREENS: dict[str, ViewportSize] = {
    "phone": {"width": 390, "height": 844},
    "desktop": {"width": 1280, "height": 860},
}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_STYLE = """(style) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    document.adoptedStyleSheets = [document.adoptedStyleSheets[0], sheet];
}"""
# What depends on all accounts of the service: new and trending photos, trending tags, suggestions.
COMMON = re.compile(r"/api/v1/(photos|photos/trending|tags/trending|suggestions/users)\?")


@dataclass(frozen=True, kw_only=True)
class Author:
    """An account with names that are the same in each run, its newest photo, and what it sees of others."""

    name: str
    token: str
    photo: str
    common: dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def author(service_url: str) -> Author:
    """An account with photos, and with a friend who likes and comments."""
    async with aiohttp.ClientSession(headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Chrome/1"}) as http:
        author, friend = [await ApiUser.sign_up(http, service_url, name) for name in ("vera", "frida")]
        await author.follow(friend)
        await friend.follow(author)
        names = {"display_name": "Vera Moss", "bio": "Trains and temples."}
        (await author.call("PATCH", "/users/me", json=names)).expect(200)
        (await friend.call("PATCH", "/users/me", json={"display_name": "Frida Lund"})).expect(200)
        photo = ""
        for name, caption in PHOTOS.items():
            photo = (await author.upload(photograph(name), caption))["id"]
            await published(author, photo)
        (await friend.call("PUT", f"/photos/{photo}/like")).expect(200)
        (await friend.call("POST", f"/photos/{photo}/comments", json={"text": "Lovely."})).expect(201)

        async def notified() -> bool:
            return len((await author.call("GET", "/notifications")).expect(200)["items"]) == 3

        await eventually(notified)
        # As after a first run of the test.
        assert (await author.call("POST", "/notifications/seen", json={})).status < 300
        return Author(name=author.name, token=author.token, photo=photo, common=await _common(author, friend))


async def _common(author: ApiUser, friend: ApiUser) -> dict[str, Any]:
    photos = (await author.call("GET", f"/users/{author.id}/photos?limit=30")).expect(200)
    user = (await author.call("GET", f"/users/{friend.name}")).expect(200)
    tags = [{"tag": tag, "authors": authors} for tag, authors in (("space", 12), ("morning", 7))]
    return {
        "/api/v1/photos": photos,
        "/api/v1/photos/trending": photos,
        "/api/v1/tags/trending": {"items": tags},
        "/api/v1/suggestions/users": {"items": [{**user, "reason": "follows_you"}], "made_at": "2026-11-30T12:00:00Z"},
    }


async def _opened(site: Site, author: Author, account: ApiUser | None = None) -> Visitor:
    """Open the page for visitors, with what depends on other accounts always the same."""
    visitor = await site.visitor(account)

    async def answer(route: Route) -> None:
        await route.fulfill(json=author.common[urlsplit(route.request.url).path])

    await visitor.page.route(COMMON, answer)
    await visitor.open("/signin")
    return visitor


async def _signed_in(site: Site, author: Author) -> Visitor:
    visitor = await _opened(site, author, site.account(author.name, author.token))
    await visitor.sign_in()
    # Nothing is under the pointer, which was on the button.
    await visitor.page.mouse.move(0, 0)
    return visitor


async def _compare(visitor: Visitor, references: References, name: str) -> None:
    for screen, size in SCREENS.items():
        await visitor.page.set_viewport_size(size)
        for theme in THEMES:
            await visitor.page.emulate_media(color_scheme=theme)
            await references.compare(f"{name}-{screen}-{theme}", visitor.page)


async def test_the_main_pages_look_as_before(site: Site, author: Author, tmp_path: Path) -> None:
    """The page for visitors, the feed, a photo, a profile, discover, notifications, settings, and the components."""
    references = References(tmp_path)
    guest = await _opened(site, author)
    await use_reference_fonts(guest.page)
    await _compare(guest, references, "landing")
    visitor = await _signed_in(site, author)
    await use_reference_fonts(visitor.page)
    paths = {"feed": "/", "photo": f"/p/{author.photo}", "profile": f"/u/{author.name}"}
    paths |= {name: f"/{name}" for name in ("discover", "notifications", "settings", "design")}
    for name, path in paths.items():
        await visitor.go(path)
        await _compare(visitor, references, name)
    references.assert_none()


# A style, and whether the page differs with it.
CHANGES = {
    "* { font-style: italic !important }": False,
    "main { transform: translateX(5px) }": False,
    "main { transform: translateX(24px) }": True,
    ":root { --accent: #1d9bf0 !important }": True,
    "body { background: #eeeeff !important }": True,
    ".design-tokens li:nth-child(3n) { visibility: hidden }": True,
}


async def test_the_comparison_notices_what_users_would(site: Site) -> None:
    """A moved column, a wrong colour and a missing part differ from the page itself; other letters do not."""
    visitor = await site.signed_in(color_scheme="light")
    page = visitor.page
    await visitor.go("/design")
    await visitor.sees(page.get_by_role("heading", name="Colours"))
    await use_reference_fonts(page)
    await page.evaluate("() => document.fonts.ready")
    expected = cells(await page.screenshot())
    for style, differs in CHANGES.items():
        await page.evaluate(_STYLE, style)
        found = cells(await page.screenshot())
        assert (share(differing(found, expected)) > SHARE) is differs, style
