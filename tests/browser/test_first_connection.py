"""What is published after a page was fetched and before its live connection is established, is not missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, Route, expect

from tests.browser.visitor import Site, published
from tests.support.eventually import eventually
from tests.support.pictures import photograph


@asynccontextmanager
async def before_connection(page: Page) -> AsyncIterator[None]:
    """Reload the page, and delay its live connection until the end of the block."""
    may_connect = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_connect.wait()
        await route.continue_()

    await page.route("**/api/v1/live/token", hold)
    # The feed comes with the page.
    async with page.expect_response("**/api/v1/notifications?*"):
        await page.reload()
    yield
    may_connect.set()


async def test_a_photo_before_the_connection_appears(site: Site) -> None:
    """A photo that is published between the fetch of the feed and the connection is shown once."""
    owner, follower = await site.friends()
    async with before_connection(follower.page):
        await owner.account.upload(photograph("temple"), "just missed")

        async def arrived() -> bool:
            return bool(await follower.account.feed())

        await eventually(arrived)
        await expect(follower.card("just missed")).to_have_count(0)
    await follower.sees(follower.card("just missed"))
    await expect(follower.page.locator("article.card")).to_have_count(1)


async def test_a_notification_before_the_connection_counts(site: Site) -> None:
    """A like between the fetch of the counters and the connection is counted on the badge."""
    owner, fan = await site.signed_in(), await site.create_account()
    photo = (await owner.account.upload(photograph("temple"), "liked"))["id"]
    await published(owner.account, photo)
    async with before_connection(owner.page):
        (await fan.call("PUT", f"/photos/{photo}/like")).expect(200)

        async def notified() -> bool:
            counters = (await owner.account.call("GET", "/notifications/counters")).expect(200)
            return bool(counters["unseen"] == 1)

        await eventually(notified)
        await expect(owner.page.locator(".nav .badge")).to_be_hidden()
    await owner.sees_text(owner.page.locator(".nav .badge"), "1 new")
