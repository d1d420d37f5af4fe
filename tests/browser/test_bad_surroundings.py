"""Browsers that keep nothing, networks that answer in place of the service, wrong clocks, missing pictures."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Route, expect

from tests.browser.offline_visit import AWAY, block, nothing_waits, tray, waits
from tests.browser.visitor import WITHIN, Site, published
from tests.support.api_user import PASSWORD
from tests.support.pictures import photograph

LIKE = re.compile("^Like")
PORTAL = "<!doctype html><title>Welcome to the hotel</title><form action='/login'>Accept the terms</form>"
FULL = """
    const refuse = () => { throw new DOMException("full", "QuotaExceededError"); };
    Storage.prototype.setItem = refuse;
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...given) {
        const request = put.apply(this, given);
        this.transaction.abort();
        return request;
    };
"""
# The clock of the device is off by so many milliseconds.
CLOCK = """(() => {
    const { now } = Date, Real = Date;
    const wrong = () => now() + %d;
    globalThis.Date = class extends Real {
        constructor(...given) { super(...(given.length ? given : [wrong()])); }
        static now() { return wrong(); }
    };
})()"""


@pytest.mark.parametrize(
    "script",
    [FULL, *(block(name, "SecurityError") for name in ("localStorage", "sessionStorage", "indexedDB"))],
    ids=["full", "localStorage", "sessionStorage", "indexedDB"],
)
async def test_a_browser_that_keeps_nothing(site: Site, script: str) -> None:
    """Signing in and out, likes and new photos work; what cannot be sent at once is sent from the open page."""
    account = await site.create_account()
    photo = await account.upload(photograph("rocket"), "kept nowhere")
    await published(account, photo["id"])
    visitor = await site.visitor(account)
    visitor.expect_error(AWAY)
    await visitor.context.add_init_script(script)
    page = visitor.page
    await visitor.open("/signin")
    await visitor.sign_in()
    like = visitor.card("kept nowhere").get_by_role("button", name=LIKE)
    await like.click()
    await expect(like.locator("span").nth(1)).to_have_text("1", timeout=WITHIN)
    await visitor.context.set_offline(True)
    await like.click()
    await waits(visitor, 1)
    await visitor.context.set_offline(False)
    await expect(tray(visitor)).to_be_hidden(timeout=WITHIN)
    assert (await account.call("GET", f"/photos/{photo['id']}")).expect(200)["liked"] is False
    await visitor.share(photograph("cat"), caption="shared all the same")
    await visitor.sees(visitor.card("shared all the same"))
    await visitor.open("/settings")
    await page.get_by_role("button", name="Sign out").click()
    await visitor.sees(page.get_by_label("User name or e-mail"))


async def test_a_browser_without_cookies_says_what_to_do(site: Site) -> None:
    """A sign-in that leaves no session behind is no success."""
    visitor = await site.visitor()
    await visitor.context.add_init_script(
        "Object.defineProperty(document, 'cookie', { get: () => '', set: () => {} });"
    )
    page = visitor.page
    await visitor.open("/signin")
    await page.get_by_label("User name or e-mail").fill(visitor.account.name)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your browser blocks the cookies", timeout=WITHIN)


@pytest.mark.parametrize("status", [200, 403, 502])
async def test_a_page_in_the_place_of_an_answer_is_an_outage(site: Site, status: int) -> None:
    """A hotel's network or a proxy answers: the user stays signed in, and what they do is sent when it is gone."""
    account = await site.create_account()
    photo = await account.upload(photograph("temple"), "in a hotel")
    await published(account, photo["id"])
    visitor = await site.signed_in(account)
    visitor.expect_error(f"{AWAY}|status of {status}|status of 4")
    page = visitor.page
    await visitor.sees(visitor.card("in a hotel"))

    async def portal(route: Route) -> None:
        await route.fulfill(status=status, content_type="text/html", body=PORTAL)

    await page.route(re.compile("/api/v1/"), portal)
    like = visitor.card("in a hotel").get_by_role("button", name=LIKE)
    await like.click()
    await waits(visitor, 1)
    await visitor.visit("Discover")
    await visitor.sees(page.get_by_role("heading", name="Not available offline"))
    await page.unroute(re.compile("/api/v1/"))
    # What trends, suggestions and photos are apart; any of the buttons tries them all.
    missing = page.locator(".empty-state").filter(has=page.get_by_role("heading", name="Not available offline"))
    await expect(missing).to_have_count(3, timeout=WITHIN)
    await missing.first.get_by_role("button", name="Try again").click()
    await visitor.loses(page.get_by_role("heading", name="Not available offline"))
    await page.evaluate("dispatchEvent(new Event('online'))")
    await nothing_waits(visitor)
    assert (await account.call("GET", f"/photos/{photo['id']}")).expect(200)["likes"] == 1


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_an_hour_off(site: Site, hours: int) -> None:
    """The session lasts, and what happens now is from now or from an hour ago, never from the future."""
    account = await site.create_account()
    visitor = await site.visitor(account)
    await visitor.context.add_init_script(CLOCK % (hours * 3600 * 1000))
    await visitor.open("/signin")
    await visitor.sign_in()
    await visitor.share(photograph("coffee"), caption="what time is it")
    card = visitor.card("what time is it")
    await visitor.sees(card)
    await expect(card.locator(".card-head time")).to_have_text("now" if hours < 0 else "1 h")
    await card.get_by_role("button", name=LIKE).click()
    await expect(card.get_by_role("button", name=LIKE).locator("span").nth(1)).to_have_text("1", timeout=WITHIN)
    await card.get_by_role("link", name=re.compile("^Comments")).click()
    await visitor.page.get_by_label("Your comment").fill("about noon")
    await visitor.page.keyboard.press("Enter")
    await visitor.sees(visitor.page.locator(".comments li:not(.sending)").filter(has_text="about noon"))
    await visitor.page.reload()
    await visitor.live()
    await visitor.sees(visitor.page.locator(".comments li").filter(has_text="about noon"))


async def test_a_picture_that_never_arrives(site: Site) -> None:
    """The photo can be liked meanwhile; one that failed for good is fetched again by a button."""
    account = await site.create_account()
    photo = await account.upload(photograph("flower"), "still on its way")
    await published(account, photo["id"])
    visitor = await site.visitor(account)
    visitor.expect_error(AWAY)
    page = visitor.page
    never, waiting = asyncio.Event(), asyncio.Event()

    async def hang(route: Route) -> None:
        waiting.set()
        await never.wait()
        await route.abort()

    await page.route(re.compile("/media/"), hang)
    await page.goto(f"{visitor.url}/signin", wait_until="domcontentloaded")
    await visitor.sign_in()
    card = visitor.card("still on its way")
    await visitor.sees(card)
    await asyncio.wait_for(waiting.wait(), WITHIN / 1000)
    await expect(card.locator(".frame canvas")).to_be_visible()
    await card.get_by_role("button", name=LIKE).click()
    await expect(card.get_by_role("button", name=LIKE).locator("span").nth(1)).to_have_text("1", timeout=WITHIN)
    never.set()
    again = card.get_by_role("button", name="Try again")
    await visitor.sees(again)
    await page.unroute(re.compile("/media/"))
    await again.click()
    await visitor.sees(card.locator(".frame.loaded"))
    assert page.url == f"{visitor.url}/"
