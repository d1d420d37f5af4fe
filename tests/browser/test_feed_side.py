"""The column beside the home feed: in wide windows only, without a shift of the feed, and never loaded on phones."""

from __future__ import annotations

import re

from playwright.async_api import Request, expect

from tests.browser.visitor import DESKTOP, PHONE, Site, published
from tests.support.pictures import photograph

# The elements that have moved, each with the distance and the share of the window that moved.
_SHIFT = """window.shifts = [];
    new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries()) {
            for (const { node, previousRect, currentRect } of sources) {
                const element = node?.closest ? node : node?.parentElement;
                const [from, to] = [previousRect, currentRect].map(({ x, y }) => `${x},${y}`);
                const name = `${element?.localName}.${element?.className}`;
                window.shifts.push(`${name}: ${from} to ${to} (${value.toFixed(3)})`);
            }
        }
    }).observe({ type: "layout-shift", buffered: true });"""
_OF_SIDE = re.compile(r"side_column\.js|/suggestions/users|/tags/trending|/photos/trending")


async def test_suggestions_and_trends_are_beside_the_feed(site: Site) -> None:
    """A window of 1100 pixels shows them next to the photos, and nothing moves when they appear."""
    account, friend, stranger = [await site.create_account() for _ in range(3)]
    # Before the page is opened, which lets the server make the suggestions.
    await account.follow(friend)
    await friend.follow(stranger)
    visitor = await site.signed_in(account)
    photo = (await friend.upload(photograph("coffee"), "beside the column"))["id"]
    await published(friend, photo)
    page, card = visitor.page, visitor.card("beside the column")
    await visitor.sees(card)
    await page.add_init_script(_SHIFT)
    for width in (1100, 1280, 1920):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.reload()
        suggestion = page.locator(".side-column .user-list li")
        await visitor.sees(suggestion)
        await visitor.sees(card.locator(".frame.loaded"))
        feed, side = await card.bounding_box(), await suggestion.first.bounding_box()
        assert feed is not None
        assert side is not None
        assert side["x"] >= feed["x"] + feed["width"]
        assert side["x"] + side["width"] <= width
        assert feed["width"] >= 440
        assert await page.evaluate("() => window.shifts") == [], width
        # They are not in the feed as well.
        assert await page.get_by_role("heading", name="People to follow").count() == 1


async def test_a_phone_does_not_request_them(site: Site) -> None:
    """Neither the module of the column nor what it shows; a window that becomes wide does."""
    visitor = await site.signed_in(viewport=PHONE)
    page, requested = visitor.page, list[str]()

    def record(request: Request) -> None:
        if _OF_SIDE.search(request.url):
            requested.append(request.url)

    people = [await site.create_account() for _ in range(10)]
    for other in people:
        await visitor.account.follow(other)
    photo = (await people[0].upload(photograph("cat"), "narrow and wide"))["id"]
    await published(people[0], photo)
    page.on("request", record)
    await page.reload()
    await visitor.sees(visitor.card("narrow and wide").locator(".frame.loaded"))
    assert requested == []
    await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    async with page.expect_response(re.compile("/tags/trending")):
        pass
    assert any("side_column.js" in url for url in requested)


async def test_the_column_opens_by_itself_when_the_connection_is_back(site: Site) -> None:
    """What it could not load gives way to what it shows, without a press of a button."""
    account, friend, stranger = [await site.create_account() for _ in range(3)]
    await account.follow(friend)
    await friend.follow(stranger)
    visitor = await site.signed_in(account)
    visitor.expect_error("ERR_|WebSocket")
    page, away = visitor.page, re.compile("/suggestions/users|/tags/trending")
    await page.route(away, lambda route: route.abort())
    await page.reload()
    missing = page.locator(".side-column").get_by_role("heading", name="Not available offline")
    await expect(missing).to_have_count(2)
    await page.unroute(away)
    await visitor.context.set_offline(True)
    await expect(visitor.connection_status().first).not_to_have_attribute("data-state", "live")
    await visitor.context.set_offline(False)
    await visitor.loses(missing)
    await visitor.sees(page.locator(".side-column .user-list li"))


async def test_the_newest_photos_where_none_trend(site: Site) -> None:
    """On a small site, on which nothing trends, the column has photos of others and leads to more."""
    account, friend = await site.create_account(), await site.create_account()
    for author, caption in ((friend, "of a friend"), (account, "my own")):
        photo = (await author.upload(photograph("flower"), caption))["id"]
        await published(author, photo)
    await account.follow(friend)
    nothing: dict[str, object] = {"items": [], "next": None}
    visitor = await site.signed_in(account)
    page = visitor.page
    await page.route(re.compile("/(tags|photos)/trending"), lambda route: route.fulfill(json=nothing))
    await page.reload()
    newest = page.locator(".side-column").get_by_role("region", name="Newest photos")
    await visitor.sees(newest.locator(".cell"))
    assert await newest.get_by_role("link", name="of a friend").count() == 1
    assert await newest.get_by_role("link", name="my own").count() == 0
    await newest.get_by_role("link", name="Discover more").click()
    await page.wait_for_url("**/discover")
