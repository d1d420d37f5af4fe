"""The page "Discover": what trends, above the newest photos."""

from __future__ import annotations

import time
from typing import Any

import orjson
from playwright.async_api import Route, expect

from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.pictures import photograph


async def _scripted(visitor: Visitor, path: str, items: list[Any], *, failures: int = 0) -> None:
    """Answer requests for a list, after some failures: in a test every account is too young to let anything trend."""
    left = failures

    async def answer(route: Route) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            await route.fulfill(status=503, content_type="application/problem+json", body='{"detail": "Not now."}')
        else:
            await route.fulfill(content_type="application/json", body=orjson.dumps({"items": items, "next": None}))

    await visitor.page.route(f"**/api/v1{path}?*", answer)


async def test_what_trends(site: Site) -> None:
    """Tags lead to their photos, and photos to their pages; after an error the user tries again."""
    author = await site.create_account()
    photo = await author.upload(photograph(), "It trends")
    await published(author, photo["id"])
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    await visitor.visit("Discover")
    await visitor.sees(page.get_by_role("heading", name="New photos"))
    await expect(page.get_by_role("heading", name="Trending photos")).to_have_count(0)

    visitor.expect_error("503")
    shown = (await author.call("GET", f"/photos/{photo['id']}")).expect(200)
    await _scripted(visitor, "/photos/trending", [shown], failures=1)
    await _scripted(visitor, "/tags/trending", [{"tag": "sea", "authors": 7}])
    await page.reload()
    await page.get_by_role("button", name="Try again").click()
    section = page.get_by_role("region", name="Trending photos")
    await visitor.sees(section.locator(f'[data-photo="{photo["id"]}"]'))
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("region", name="Trending tags").get_by_role("link", name="#sea").click()
    await expect(page.get_by_role("heading", name="#sea", exact=True)).to_be_visible(timeout=WITHIN)
    await page.go_back()
    await section.get_by_role("link").click()
    await visitor.sees(page.get_by_text("It trends"))


async def test_all_trending_photos(site: Site) -> None:
    """The page has a text while nothing trends."""
    visitor = await site.signed_in(at=None)
    await visitor.open("/discover/trending")
    await visitor.sees(visitor.page.get_by_role("heading", name="Nothing trends at present"))


async def test_the_first_feed(site: Site) -> None:
    """A new user sees photos and people to follow within ten seconds; who is dismissed is not suggested again."""
    author = await site.create_account()
    photos = [await author.upload(photograph(name)) for name in ("rocket", "temple", "flower")]
    for photo in photos:
        await published(author, photo["id"])
        (await author.call("PATCH", f"/photos/{photo['id']}", json={"tags": ["first"]})).expect(200)
    visitor = await site.visitor(viewport=PHONE)
    # The other one is still suggested when the author is not.
    for account in (author, await site.create_account()):
        await account.follow(visitor.account)
    started = time.monotonic()
    visitor = await site.signed_in(visitor.account, viewport=PHONE)
    page = visitor.page
    await visitor.sees(page.locator(".first-feed .cell"))
    people = page.get_by_role("region", name="People to follow")
    row = people.get_by_role("listitem").filter(has_text=author.name)
    await visitor.sees(row.get_by_text("Follows you"))
    await visitor.sees(row.get_by_role("button", name="Follow back"))
    assert time.monotonic() - started < 10
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await row.get_by_role("button", name="Do not suggest").click()
    await visitor.loses(row)
    await page.reload()
    await visitor.sees(people.get_by_role("listitem"))
    await visitor.loses(row)

    await visitor.open(f"/p/{photos[0]['id']}")
    for name in (f"More from {author.name}", "More with #first"):
        await expect(page.get_by_role("region", name=name).locator(".cell").first).to_be_visible(timeout=WITHIN)
    own = page.get_by_role("region", name=f"More from {author.name}")
    await expect(own.locator(".cell")).to_have_count(2)
    await own.get_by_role("link", name="Show all").click()
    await expect(page.get_by_role("heading", name=author.name, exact=True)).to_be_visible(timeout=WITHIN)


async def test_followed_tags(site: Site) -> None:
    """A tag is followed on its page; its photos are on a page of their own, and leave it with the follow."""
    author = await site.create_account()
    photo = await author.upload(photograph())
    await published(author, photo["id"])
    tag = f"t{author.name}"
    (await author.call("PATCH", f"/photos/{photo['id']}", json={"tags": [tag]})).expect(200)
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.open(f"/tag/{tag}")
    await page.get_by_role("button", name="Follow", exact=True).click()
    await visitor.sees(page.get_by_role("button", name="Following"))
    await visitor.visit("Discover")
    await page.get_by_role("link", name="Tags you follow").click()
    await visitor.sees(page.locator(f'[data-photo="{photo["id"]}"]'))
    await page.get_by_role("link", name=f"#{tag}").click()
    await page.get_by_role("button", name="Following").click()
    await visitor.sees(page.get_by_role("button", name="Follow", exact=True))
    await visitor.open("/discover/tags")
    await visitor.sees(page.get_by_role("heading", name="No photos yet"))
