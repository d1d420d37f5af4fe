"""The page says how its live connection fares: nothing of a moment, clearly of what lasts, and offers to retry."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.async_api import Locator, expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import WITHIN, Site, Visitor
from tests.support.eventually import eventually

RAIL = 240  # the width of the navigation of wide windows
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
TICKETS = re.compile("/live/token")
INTERRUPT = "() => { dispatchEvent(new Event('offline')); dispatchEvent(new Event('online')); }"


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [(503, "waiting", "Reconnecting…"), (403, "stopped", "Disconnected")],
)
async def test_trouble_is_told_with_a_way_out(site: Site, status: int, state: str, words: str) -> None:
    """Trouble that lasts stands in the page, for screen readers too, with a button that connects at once."""
    visitor = await site.signed_in()
    sign = visible_sign(visitor)
    await expect(sign.get_by_role("status")).to_have_text("Live")
    await expect(sign.get_by_role("button")).to_have_count(0)
    await in_trouble(visitor, status)
    await expect(sign).to_have_attribute("data-state", state, timeout=WITHIN)
    await expect(sign.get_by_role("status")).to_have_text(words)
    await sign.get_by_role("button", name="Retry now").focus()
    await visitor.page.unroute_all()
    # Where the page tries by itself, it may connect before the key is pressed: the focus has moved then, too.
    await visitor.page.keyboard.press("Enter")
    await visitor.live()
    # The button is gone; the keyboard goes on from the page's main part.
    await expect(sign.get_by_role("button")).to_have_count(0)
    await expect(visitor.page.locator("main")).to_be_focused()


async def test_without_a_network_the_page_is_offline(site: Site) -> None:
    """The page says that it is offline while the browser has no network, and live soon after it has one again."""
    visitor = await site.signed_in()
    visitor.expect_error("ERR_|WebSocket")
    await visitor.context.set_offline(True)
    await expect(visible_sign(visitor).get_by_role("status")).to_have_text("Offline", timeout=WITHIN)
    await visitor.context.set_offline(False)
    await visitor.live()


async def test_a_moment_is_no_news(site: Site) -> None:
    """An interruption that ends within a second changes nothing in the page."""
    visitor = await site.signed_in()
    sockets: list[object] = []
    visitor.page.on("websocket", lambda socket: sockets.append(socket.url))
    await visitor.page.evaluate(
        """() => {
            window.changes = [];
            const watcher = new MutationObserver(() => changes.push(document.querySelector(".live-state").textContent));
            for (const sign of document.querySelectorAll(".live-state")) {
                watcher.observe(sign, { attributes: true, childList: true, subtree: true });
            }
        }"""
    )
    await visitor.page.evaluate(INTERRUPT)
    await eventually(lambda: len(sockets) == 1)
    await visitor.live()
    assert await visitor.page.evaluate("() => changes") == []


async def test_the_sign_fits_and_can_be_read(site: Site) -> None:
    """The longest sign fits phones and the rail, in one line beside the name, and has the contrast of WCAG 2.2."""
    visitor = await site.signed_in(reduced_motion="reduce")
    await in_trouble(visitor, 503)
    page = visitor.page
    await expect(visible_sign(visitor)).to_have_attribute("data-state", "waiting", timeout=WITHIN)
    for width, end in ((320, 320), (390, 390), (1280, RAIL)):
        await page.set_viewport_size({"width": width, "height": 700})
        # The browser lays the page out anew in its own time.
        assert await eventually(lambda end=end: _fits(visitor, end))  # type: ignore[misc]
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            assert await eventually(lambda: _readable(visitor))


async def _fits(visitor: Visitor, end: int) -> bool:
    page, sign = visitor.page, visible_sign(visitor)
    box = await sign.bounding_box()
    button = await sign.get_by_role("button").bounding_box()
    logo = await page.get_by_role("link", name="PicShare").locator("visible=true").bounding_box()
    assert box is not None
    assert button is not None
    assert logo is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= end
    assert box["height"] < 40
    assert button["height"] >= 24  # WCAG 2.2, 2.5.8
    assert logo["width"] >= 29
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    return True


async def _readable(visitor: Visitor) -> bool:
    assert await poor_contrasts(visitor) == []
    return True


def visible_sign(visitor: Visitor) -> Locator:
    """Return the sign that is shown at this width."""
    return visitor.connection_status().locator("visible=true")


async def in_trouble(visitor: Visitor, status: int) -> None:
    """Interrupt the connection, and refuse tickets with a status."""
    visitor.expect_error(f"status of {status}")
    await visitor.page.route(TICKETS, lambda route: route.fulfill(status=status, json={}))
    await visitor.page.evaluate(INTERRUPT)
