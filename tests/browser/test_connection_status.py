"""The page shows the status of its live connection: short interruptions are hidden, longer ones can be retried."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.async_api import Locator, expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import WITHIN, Site, Visitor
from tests.support.eventually import eventually

SIDEBAR = 240  # the width of the navigation in wide windows
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
TICKETS = re.compile("/live/token")
INTERRUPT = "() => { dispatchEvent(new Event('offline')); dispatchEvent(new Event('online')); }"


@pytest.mark.parametrize(
    ("code", "state", "label"),
    [(503, "waiting", "Reconnecting…"), (403, "stopped", "Disconnected")],
)
async def test_an_interruption_is_shown_with_a_retry_button(site: Site, code: int, state: str, label: str) -> None:
    """An interruption that lasts is shown, for screen readers too, with a button that connects at once."""
    visitor = await site.signed_in()
    status = visible_status(visitor)
    await expect(status.get_by_role("status")).to_have_text("Live")
    await expect(status.get_by_role("button")).to_have_count(0)
    await interrupt(visitor, code)
    await expect(status).to_have_attribute("data-state", state, timeout=WITHIN)
    await expect(status.get_by_role("status")).to_have_text(label)
    await status.get_by_role("button", name="Retry now").focus()
    await visitor.page.unroute_all()
    # The page also tries by itself and may connect before the key is pressed; the focus has then moved, too.
    await visitor.page.keyboard.press("Enter")
    await visitor.live()
    # The button is gone, and the focus is on the main part of the page.
    await expect(status.get_by_role("button")).to_have_count(0)
    await expect(visitor.page.locator("main")).to_be_focused()


async def test_without_a_network_the_page_is_offline(site: Site) -> None:
    """The page is offline while the browser has no network, and live soon after the network is back."""
    visitor = await site.signed_in()
    visitor.expect_error("ERR_|WebSocket")
    await visitor.context.set_offline(True)
    await expect(visible_status(visitor).get_by_role("status")).to_have_text("Offline", timeout=WITHIN)
    await visitor.context.set_offline(False)
    await visitor.live()


async def test_a_short_interruption_is_not_shown(site: Site) -> None:
    """An interruption that ends within a second changes nothing in the page."""
    visitor = await site.signed_in()
    sockets: list[object] = []
    visitor.page.on("websocket", lambda socket: sockets.append(socket.url))
    await visitor.page.evaluate(
        """() => {
            window.changes = [];
            const watcher = new MutationObserver(() => changes.push(document.body.textContent));
            for (const element of document.querySelectorAll(".connection-status")) {
                watcher.observe(element, { attributes: true, childList: true, subtree: true });
            }
        }"""
    )
    await visitor.page.evaluate(INTERRUPT)
    await eventually(lambda: len(sockets) == 1)
    await visitor.live()
    assert await visitor.page.evaluate("() => changes") == []


async def test_the_status_fits_and_is_readable(site: Site) -> None:
    """The longest status fits on phones and in the sidebar, in one line, with the contrast of WCAG 2.2."""
    visitor = await site.signed_in(reduced_motion="reduce")
    await interrupt(visitor, 503)
    page = visitor.page
    await expect(visible_status(visitor)).to_have_attribute("data-state", "waiting", timeout=WITHIN)
    for width, end in ((320, 320), (390, 390), (1280, SIDEBAR)):
        await page.set_viewport_size({"width": width, "height": 700})
        # The browser updates the layout asynchronously.
        assert await eventually(lambda end=end: _fits(visitor, end))  # type: ignore[misc]
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            assert await eventually(lambda: _readable(visitor))


async def _fits(visitor: Visitor, end: int) -> bool:
    page, status = visitor.page, visible_status(visitor)
    box = await status.bounding_box()
    button = await status.get_by_role("button").bounding_box()
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


def visible_status(visitor: Visitor) -> Locator:
    """Return the status that is shown at this width."""
    return visitor.connection_status().locator("visible=true")


async def interrupt(visitor: Visitor, code: int) -> None:
    """Interrupt the connection, and refuse tickets with a status code."""
    visitor.expect_error(f"status of {code}")
    await visitor.page.route(TICKETS, lambda route: route.fulfill(status=code, json={}))
    await visitor.page.evaluate(INTERRUPT)
