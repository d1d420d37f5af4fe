"""On a slow network: placeholders are shown at once, and nothing is sent twice."""

from __future__ import annotations

import re

from playwright.async_api import CDPSession, expect

from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.support.pictures import photograph

LATENCY = 300  # milliseconds
RATE = 60_000  # bytes per second


async def _slow_down(network: CDPSession, *, latency: int = LATENCY, rate: int = RATE) -> None:
    conditions = {"offline": False, "latency": latency, "downloadThroughput": rate, "uploadThroughput": rate}
    await network.send("Network.emulateNetworkConditions", conditions)


async def test_a_visit_on_a_slow_network(site: Site) -> None:
    """Placeholders and skeletons come before the photos, and two presses share a photo once."""
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    for name, caption in (("temple", "from the valley"), ("rocket", "from the hill")):
        photo = await visitor.account.upload(photograph(name), caption)
        await published(visitor.account, photo["id"])
    await visitor.sees(visitor.card("from the hill"))
    network = await visitor.context.new_cdp_session(page)
    await network.send("Network.clearBrowserCache")
    await _slow_down(network)
    await page.reload(wait_until="commit")
    # The first picture is in the page itself.
    card = visitor.card("from the valley")
    await visitor.sees(card.locator(".frame:not(.loaded) canvas"))
    await visitor.sees(card.locator(".frame.loaded"))
    await visitor.visit("Discover")
    await visitor.sees(page.locator("main .cell.skeleton"))
    await visitor.sees(page.locator("main .cell .loaded"))
    await visitor.loses(page.locator("main .skeleton"))

    await visitor.choose(photograph("cat"))
    await page.get_by_label("Caption").fill("from the train")
    await page.get_by_role("button", name="Share", exact=True).dblclick()
    await expect(page.locator(".tray-item .state")).to_have_text(re.compile("Uploading"), timeout=WITHIN)
    await _slow_down(network, latency=0, rate=-1)
    await visitor.sees(visitor.card("from the train"))
    captions = [found["caption"] for found in await visitor.account.feed()]
    assert captions == ["from the train", "from the hill", "from the valley"]
