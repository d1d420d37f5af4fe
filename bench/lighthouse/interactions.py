"""The delay from a tap or key to the next frame (INP), on a phone with a processor that is four times slower."""

from __future__ import annotations

import re
from collections.abc import Sequence

from playwright._impl._api_structures import SetCookieParam
from playwright.async_api import Page, ViewportSize, expect

from tests.support.chromium import find_chromium, running_chromium

_PHONE: ViewportSize = {"width": 390, "height": 844}
_SLOWER = 4  # times, as in Lighthouse's profile of a phone
_WITHIN = 30_000  # milliseconds for what follows a tap
# The durations of interactions, from the input to the frame that shows it (Event Timing), in steps of 8 ms.
_RECORD = """window.interactions = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (entry.interactionId) interactions.push(entry.duration);
    }).observe({ type: "event", durationThreshold: 16, buffered: true });"""
_SLOWEST = "() => Math.max(0, ...window.interactions.splice(0))"


async def slowest_interactions(url: str, cookies: Sequence[SetCookieParam]) -> dict[str, float]:
    """Return the milliseconds of each interaction of a user with the feed; 0 if it took less than 16."""
    chromium = find_chromium()
    assert chromium is not None
    async with running_chromium(chromium) as browser:
        context = await browser.new_context(viewport=_PHONE, device_scale_factor=3, is_mobile=True, has_touch=True)
        context.set_default_timeout(_WITHIN)
        await context.add_cookies(cookies)
        page = await context.new_page()
        await page.add_init_script(_RECORD)
        await page.goto(url)
        await expect(page.locator("article.card .frame.loaded").first).to_be_visible(timeout=_WITHIN)
        await page.wait_for_load_state("networkidle")
        session = await context.new_cdp_session(page)
        await session.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
        return await _interactions(page)


async def _interactions(page: Page) -> dict[str, float]:
    found = {}
    card = page.locator("article.card").first
    like = card.get_by_role("button", name=re.compile("^Like"))
    pressed = await like.get_attribute("aria-pressed")
    await like.tap()
    await expect(like).not_to_have_attribute("aria-pressed", pressed or "", timeout=_WITHIN)
    found["like"] = await _slowest(page)
    await card.locator(".frame").first.tap()
    await expect(page).to_have_url(re.compile("/p/"), timeout=_WITHIN)
    found["open a photo"] = await _slowest(page)
    field = page.get_by_label(re.compile("comment", re.IGNORECASE)).first
    await field.tap()
    await page.keyboard.type("What a sight")
    found["write a comment"] = await _slowest(page)
    for name in ("Discover", "Notifications"):
        await page.get_by_role("navigation", name="Main").get_by_role("link", name=name).tap()
        await expect(page.locator("main h1").first).to_be_attached(timeout=_WITHIN)
        found[f"open {name}"] = await _slowest(page)
    return found


async def _slowest(page: Page) -> float:
    # Two frames, after which the entries of what was drawn are there.
    await page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )
    slowest: float = await page.evaluate(_SLOWEST)
    return slowest
