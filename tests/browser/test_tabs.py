"""The application in several tabs of one browser: one connection and one session, also when the user changes."""

from __future__ import annotations

import asyncio
import re

import aiohttp
from playwright.async_api import Page, Response, WebSocket, expect

from tests.browser.visitor import WITHIN, Site, Visitor, published
from tests.support.api_user import PASSWORD
from tests.support.eventually import eventually
from tests.support.pictures import photograph


async def test_no_photo_is_lost_with_a_closed_tab(site: Site) -> None:
    """Three tabs share one connection; if its tab is closed while photos arrive, the others show each photo once."""
    owner = await site.create_account()
    follower = await site.visitor()
    await follower.account.follow(owner)
    sockets: list[WebSocket] = []

    def record(socket: WebSocket) -> None:
        sockets.append(socket)

    follower.page.on("websocket", record)
    follower.context.on("page", lambda page: page.on("websocket", record))
    await _connections(site.url, 0)  # connections of earlier tests have ended
    await follower.open()
    await follower.sign_in()
    others = [await _tab(follower), await _tab(follower)]
    assert len(sockets) == 1
    await _connections(site.url, 1)

    names = ("temple", "cat", "coffee")
    uploads = [asyncio.ensure_future(owner.upload(photograph(name), f"my {name}")) for name in names]
    await uploads[0]
    await follower.page.close()
    for photo in await asyncio.gather(*uploads):
        await published(owner, photo["id"])
    for tab in others:
        captions = tab.locator("article.card .caption")
        await expect(captions).to_have_text([re.compile("my ")] * 3, timeout=WITHIN)
        assert set(await captions.all_inner_texts()) == {f"my {name}" for name in names}
    assert len(sockets) == 2
    await _connections(site.url, 1)


async def test_likes_reach_two_tabs_with_the_same_photo(site: Site) -> None:
    """Two tabs that show the same photo share its subscription, and both update the like count."""
    visitor = await site.signed_in(at=None)
    photo = await visitor.account.upload(photograph("flower"), "in two tabs")
    await published(visitor.account, photo["id"])
    await visitor.open(f"/p/{photo['id']}")
    await visitor.live()
    second = await _tab(visitor, f"/p/{photo['id']}")
    await visitor.subscribed(f"photo:{photo['id']}")
    pages = (visitor.page, second)
    likes = [page.get_by_role("button", name=re.compile("^Like")).locator("span").nth(1) for page in pages]
    for shown in likes:
        await expect(shown).to_have_text("0", timeout=WITHIN)
    fan = await site.create_account()
    assert (await fan.call("PUT", f"/photos/{photo['id']}/like")).status == 200
    for shown in likes:
        await expect(shown).to_have_text("1", timeout=WITHIN)


async def test_signing_in_changes_every_tab(site: Site) -> None:
    """When another user signs in, every tab switches to them and shows nothing of the former user."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 40[13]")
    former = visitor.account
    second = await _tab(visitor)
    await second.get_by_role("link", name="Settings").click()
    await second.get_by_role("button", name="Sign out").click()
    for page in (visitor.page, second):
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=WITHIN)

    visitor.account = await site.create_account()
    friend = await site.create_account()
    await visitor.account.follow(friend)
    await visitor.page.get_by_label("User name or e-mail").fill(visitor.account.name)
    await visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Sign in").click()
    for page in (visitor.page, second):
        await expect(page.locator(".connection-status").first).to_have_attribute("data-state", "live", timeout=WITHIN)
        profile = page.get_by_role("navigation", name="Main").get_by_role("link", name="Profile")
        await expect(profile).to_have_attribute("href", f"/u/{visitor.account.name}", timeout=WITHIN)
    await former.upload(photograph("rocket"), "of the former user")
    await friend.upload(photograph("temple"), "of a friend")
    for page in (visitor.page, second):
        await expect(page.locator("article.card")).to_have_count(1, timeout=WITHIN)
        await expect(page.locator("article.card .caption")).to_have_text("of a friend")


async def test_a_page_is_bound_to_its_session(site: Site) -> None:
    """A page that has not noticed yet that another user has signed in gets no ticket for that user."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 403")
    refused: list[str] = []

    def record(response: Response) -> None:
        if response.status == 403:
            refused.append(response.url)

    visitor.page.on("response", record)
    other = await site.create_account()
    credentials = {"username": other.name, "password": PASSWORD, "cookie": True}
    # As in another tab of the same browser, but without notifying this one.
    assert (await visitor.context.request.post(f"{visitor.url}/api/v1/tokens", data=credentials)).status == 201
    await visitor.page.evaluate("() => dispatchEvent(new Event('offline'))")
    await visitor.page.evaluate("() => dispatchEvent(new Event('online'))")
    await eventually(lambda: refused == [f"{visitor.url}/api/v1/live/token"])
    # The refusal makes the page check its session and switch to the other user.
    profile = visitor.page.get_by_role("navigation", name="Main").get_by_role("link", name="Profile")
    await expect(profile).to_have_attribute("href", f"/u/{other.name}", timeout=WITHIN)
    await visitor.live()


async def _tab(visitor: Visitor, path: str = "/") -> Page:
    """Open one more tab and wait until it is connected."""
    page = await visitor.context.new_page()
    await page.goto(visitor.url + path)
    await expect(page.locator(".connection-status").first).to_have_attribute("data-state", "live", timeout=WITHIN)
    return page


async def _connections(url: str, expected: int) -> None:
    """Wait until the service has this many live connections."""

    async def agrees() -> bool:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
            found = re.search(r"^picshare_live_connections (\S+)$", await response.text(), re.MULTILINE)
        assert found is not None
        return float(found[1]) == expected

    await eventually(agrees)
