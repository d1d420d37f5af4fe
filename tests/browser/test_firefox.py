"""The main flows in Firefox: everything else is tested in Chromium alone."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.visitor import PHONE, WITHIN, Site, Visitor
from tests.support.api_user import PASSWORD
from tests.support.firefox import find_firefox, running_firefox
from tests.support.pictures import photograph


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def firefox() -> AsyncIterator[Browser]:
    """A Firefox for this module."""
    path = find_firefox()
    if path is None:
        pytest.skip("Firefox is missing; tests/install-engines installs it")
    async with running_firefox(path) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def site(firefox: Browser, service_url: str) -> AsyncIterator[Site]:
    """The service for visitors with Firefox; fails if one of their pages logged an unexpected error."""
    async with aiohttp.ClientSession() as http:
        site = Site(firefox, http, service_url)
        yield site
        await site.close()
    assert site.unexpected_errors() == []


async def test_the_main_flows(site: Site) -> None:
    """From signing up to signing out: what one user shares, another sees live, likes and comments on."""
    follower = await site.signed_in()
    owner = await site.visitor(viewport=PHONE)
    name = await _sign_up(owner)
    await follower.open(f"/u/{name}")
    await follower.page.get_by_role("button", name="Follow", exact=True).click()
    await expect(follower.page.get_by_role("button", name="Following")).to_be_visible()
    await follower.visit("Home")
    await follower.live()

    await owner.share(photograph("temple"), caption="before the crowds", tags="#Stone, morning")
    card = follower.card("before the crowds")
    await follower.sees(card.locator(".frame.loaded"))
    await follower.sees(card.get_by_role("link", name="#stone"))
    await card.get_by_role("button", name=re.compile("^Like")).click()
    await owner.sees(owner.toast("liked your photo"))
    await card.get_by_role("link", name=re.compile("^Comments")).click()
    await follower.page.get_by_label("Your comment").fill("Where is this?")
    await follower.page.keyboard.press("Enter")
    await owner.sees(owner.toast("commented on your photo"))
    await owner.visit("Notifications")
    await owner.page.locator(".notification").filter(has_text="commented").first.click()
    await owner.sees(owner.page.locator(".comments li").filter(has_text="Where is this?"))

    await _edit(owner, caption="after the crowds")
    await follower.sees(follower.page.get_by_text("after the crowds"))
    await _lose_the_network(follower)
    await _sign_out(owner)


async def _sign_up(visitor: Visitor) -> str:
    page, name = visitor.page, f"n{uuid.uuid4().hex[:10]}"
    await visitor.open("/signup")
    await page.get_by_label("User name").fill(name)
    await page.get_by_label("E-mail", exact=True).fill(f"{name}@picshare.example")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await visitor.live()
    return name


async def _edit(visitor: Visitor, *, caption: str) -> None:
    page = visitor.page
    await page.get_by_role("button", name="Photo options").click()
    await page.get_by_role("menuitem", name="Edit photo").click()
    form = page.get_by_role("dialog", name="Edit photo")
    await form.get_by_label("Caption").fill(caption)
    await form.get_by_role("button", name="Save").click()
    await visitor.sees(visitor.toast("Saved"))


async def _lose_the_network(visitor: Visitor) -> None:
    """Be offline for a moment: the page says so, and connects again by itself."""
    visitor.expect_error("WebSocket|NetworkError|can.t establish a connection")
    await visitor.context.set_offline(True)
    status = visitor.page.locator(".connection-status:visible").get_by_role("status")
    await expect(status).to_have_text("Offline", timeout=WITHIN)
    await visitor.context.set_offline(False)
    await visitor.live()


async def _sign_out(visitor: Visitor) -> None:
    await visitor.open("/settings")
    await visitor.page.get_by_role("button", name="Sign out").click()
    await visitor.sees(visitor.page.get_by_label("User name or e-mail"))
