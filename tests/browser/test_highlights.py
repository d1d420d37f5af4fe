"""The order of the home feed: newest first, or highlights."""

from __future__ import annotations

from typing import Any

import orjson
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.pictures import photograph


def _order(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="Order of the feed").get_by_role("button", name=name)


async def _captions(visitor: Visitor, *captions: str) -> None:
    """Wait until the feed shows these photos, in this order."""
    await expect(visitor.page.locator("article.card .caption")).to_contain_text(list(captions), timeout=WITHIN)


async def test_the_switch(site: Site) -> None:
    """Highlights are shown on request; a new photo waits behind a button, which leads back to the newest."""
    author, fan = await site.create_account(), await site.create_account()
    for name in ("liked", "plain"):
        photo = await author.upload(photograph("rocket" if name == "liked" else "temple"), name)
        await published(author, photo["id"])
        if name == "liked":
            (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    reader = await site.create_account()
    await reader.follow(author)
    visitor = await site.signed_in(reader, viewport=PHONE)
    page = visitor.page
    await _captions(visitor, "plain", "liked")
    await expect(_order(page, "Newest")).to_have_attribute("aria-pressed", "true")
    await _order(page, "Highlights").click()
    await _captions(visitor, "liked", "plain")
    await expect(_order(page, "Highlights")).to_have_attribute("aria-pressed", "true")
    await visitor.sees(page.get_by_text("at most two of one account in ten"))
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    new = await author.upload(photograph("flower"), "new")
    await published(author, new["id"])
    button = page.get_by_role("button", name="1 new photo")
    await visitor.sees(button)
    await _captions(visitor, "liked", "plain")
    await button.click()
    await _captions(visitor, "new", "plain", "liked")
    await expect(_order(page, "Newest")).to_have_attribute("aria-pressed", "true")
    await visitor.loses(button.locator("visible=true"))

    await _order(page, "Highlights").click()
    await _captions(visitor, "liked", "plain")
    # What is deleted leaves this order, too.
    (await author.call("DELETE", f"/photos/{new['id']}")).expect(204)
    await page.reload()
    await expect(_order(page, "Newest")).to_have_attribute("aria-pressed", "true")
    await _captions(visitor, "plain", "liked")


async def test_an_order_that_has_expired(site: Site) -> None:
    """The page begins a new one by itself, and shows each photo once."""
    author = await site.create_account()
    photo = await author.upload(photograph(), "photo 0")
    await published(author, photo["id"])
    shown = (await author.call("GET", f"/photos/{photo['id']}")).expect(200)
    photos = [{**shown, "id": f"{shown['id'][:-1]}{place}", "caption": f"photo {place}"} for place in range(4)]
    asked: list[str | None] = []

    async def answer(route: Route) -> None:
        cursor = route.request.url.partition("cursor=")[2].partition("&")[0] or None
        asked.append(cursor)
        if cursor is not None:
            body = {"code": "cursor_expired", "detail": "Start again.", "status": 410}
            await route.fulfill(status=410, content_type="application/problem+json", body=orjson.dumps(body))
            return
        first = len(asked) == 1
        items = [photos[1], photos[0]] if first else [photos[3], photos[1], photos[2], photos[0]]
        page = {"items": items, "next": "one" if first else None, "stream": None, "since": "2026-11-20T12:00:00.000Z"}
        await route.fulfill(content_type="application/json", body=orjson.dumps(page))

    visitor = await site.signed_in(author)
    visitor.expect_error("410")
    await visitor.sees(visitor.card("photo 0"))
    await visitor.page.route("**/api/v1/feed?*order=highlights*", answer)
    await _order(visitor.page, "Highlights").click()
    await _captions(visitor, "photo 1", "photo 0", "photo 3", "photo 2")
    assert asked == [None, "one", None]
    await visitor.sees(visitor.page.get_by_text("Since your last visit"))


async def test_nothing_new(site: Site) -> None:
    """An empty order says so and leads back; an empty feed has no switch."""
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.sees(page.get_by_role("heading", name="Your feed is empty"))
    await expect(_order(page, "Newest")).to_be_hidden()
    photo = await visitor.account.upload(photograph(), "mine")
    await published(visitor.account, photo["id"])
    await visitor.sees(visitor.card("mine"))

    async def answer(route: Route) -> None:
        empty: dict[str, Any] = {"items": [], "next": None, "stream": None, "since": "2026-11-20T12:00:00.000Z"}
        await route.fulfill(content_type="application/json", body=orjson.dumps(empty))

    await page.route("**/api/v1/feed?*order=highlights*", answer)
    await _order(page, "Highlights").click()
    await visitor.sees(page.get_by_role("heading", name="Nothing new since your last visit"))
    await page.get_by_role("button", name="Show the newest").click()
    await visitor.sees(visitor.card("mine"))
    await expect(_order(page, "Newest")).to_have_attribute("aria-pressed", "true")
