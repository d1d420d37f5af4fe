"""Uploads of the page go on after every interruption, and nothing that the user chose or wrote is lost."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import CDPSession, Locator, Page, Request, expect

from server.edge.authentication import ACCESS_COOKIE
from tests.browser.visitor import WITHIN, Site, Visitor
from tests.support.eventually import eventually
from tests.support.pictures import encoded, photograph
from tests.support.tcp_proxy import TcpProxy

TEXTS = {"Caption": "before the crowds", "Description": "a temple", "Tags": "#Stone, हिन्दी", "Place": "Kyoto"}
SLOW = 300_000  # bytes per second of a slow network


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of about 1.5 MB, which takes some seconds on a slow network."""
    path = tmp_path_factory.mktemp("large") / "noise.jpg"
    path.write_bytes(encoded(Image.effect_noise((1500, 1500), 100).convert("RGB"), quality=90))
    return path


async def slow_down(page: Page) -> CDPSession:
    """Let the page send `SLOW` bytes per second, until `speed_up`."""
    session = await page.context.new_cdp_session(page)
    await _limit(session, SLOW)
    return session


async def speed_up(network: CDPSession) -> None:
    """Let the page send as fast as it can."""
    await _limit(network, -1)


async def disconnect(network: CDPSession) -> None:
    """Take the network away, until `speed_up`. `set_offline` of Playwright would race with the limit on the speed."""
    await _limit(network, -1, offline=True)


async def _limit(session: CDPSession, rate: int, *, offline: bool = False) -> None:
    conditions = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate}
    await session.send("Network.emulateNetworkConditions", conditions)


async def share(visitor: Visitor, file: Path, texts: dict[str, str] | None = None) -> None:
    """Share a photo with all its texts."""
    await visitor.choose(file)
    for label, text in (texts or TEXTS).items():
        await visitor.page.get_by_label(label, exact=True).fill(text)
    await visitor.page.get_by_role("button", name="Share", exact=True).click()


async def half_sent(page: Page) -> None:
    """Wait until a part of the photo was sent."""
    await expect(state(page)).to_have_text(re.compile(r"Uploading… [3-9]\d ?%"), timeout=WITHIN)


def state(page: Page) -> Locator:
    """Return the text of the upload in the tray."""
    return page.locator(".tray-item .state")


def patches(page: Page) -> list[int]:
    """Return the offsets of the requests that append to an upload, of those still to come."""
    offsets: list[int] = []

    def record(request: Request) -> None:
        if request.method == "PATCH" and "/uploads/tus/" in request.url:
            offsets.append(int(request.headers["upload-offset"]))

    page.on("request", record)
    return offsets


async def published(visitor: Visitor, page: Page) -> None:
    """Wait until the photo is in the feed of the page, and check its texts and that it is there once."""
    await expect(page.locator("article.card").filter(has_text=TEXTS["Caption"])).to_be_visible(timeout=WITHIN)
    (photo,) = await visitor.account.feed()
    assert (photo["caption"], photo["alt_text"], photo["location"]) == (TEXTS["Caption"], "a temple", "Kyoto")
    assert photo["tags"] == ["stone", "हिन्दी"]


@asynccontextmanager
async def behind_proxy(site: Site) -> AsyncIterator[tuple[Visitor, TcpProxy]]:
    """Sign in a user who reaches the service by a proxy."""
    async with TcpProxy.to(int(site.url.rsplit(":", 1)[1])) as proxy:
        visitor = await site.visitor(url=f"http://127.0.0.1:{proxy.port}")
        visitor.expect_error("ERR_|WebSocket|status of 4(09|23)")
        await visitor.open()
        await visitor.sign_in()
        yield visitor, proxy


async def test_a_cut_upload_goes_on_by_itself(site: Site, large: Path) -> None:
    """After a cut in the middle of a photo the rest is sent, and not what had arrived."""
    async with behind_proxy(site) as (visitor, proxy):
        offsets = patches(visitor.page)
        network = await slow_down(visitor.page)
        await share(visitor, large)
        await half_sent(visitor.page)
        await proxy.cut()
        await speed_up(network)
        await published(visitor, visitor.page)
        assert offsets[0] == 0
        assert offsets[-1] > large.stat().st_size // 10


async def test_an_access_token_that_ends_meanwhile_is_renewed(site: Site, large: Path) -> None:
    """A cut upload goes on where it was cut although its access token has ended: the page renews it first."""
    async with behind_proxy(site) as (visitor, proxy):
        visitor.expect_error("status of 401")
        offsets = patches(visitor.page)
        network = await slow_down(visitor.page)
        await share(visitor, large)
        await half_sent(visitor.page)
        await visitor.page.context.clear_cookies(name=ACCESS_COOKIE)
        await proxy.cut()
        await speed_up(network)
        await published(visitor, visitor.page)
        assert offsets[-1] > large.stat().st_size // 10


async def test_an_upload_waits_for_the_network(site: Site, large: Path) -> None:
    """Without a network the tray says so, and the upload goes on when the network is back."""
    async with behind_proxy(site) as (visitor, proxy):
        network = await slow_down(visitor.page)
        await share(visitor, large)
        await half_sent(visitor.page)
        await disconnect(network)
        await proxy.cut()
        await visitor.sees_text(state(visitor.page), re.compile("^You are offline. The upload goes on"))
        await speed_up(network)
        await published(visitor, visitor.page)


async def test_an_upload_goes_on_after_a_reload(site: Site, large: Path) -> None:
    """After a reload in the middle of a photo the page sends the rest by itself."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 4(09|23)")
    offsets = patches(visitor.page)
    network = await slow_down(visitor.page)
    await share(visitor, large)
    await half_sent(visitor.page)
    await visitor.page.reload()
    await speed_up(network)
    await published(visitor, visitor.page)
    assert offsets[-1] > large.stat().st_size // 10


async def test_another_tab_goes_on_with_an_upload(site: Site, large: Path) -> None:
    """When the tab with an upload is closed, another tab that is open goes on with it, and not before."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 4(09|23)")
    await slow_down(visitor.page)
    await share(visitor, large)
    await half_sent(visitor.page)
    other = await visitor.context.new_page()
    await other.goto(visitor.url)
    await expect(other.locator(".connection-status").first).to_have_attribute("data-state", "live", timeout=WITHIN)
    await expect(other.locator(".tray-item")).to_have_count(0)
    await visitor.page.close()
    await published(visitor, other)


async def test_a_refused_upload_outlives_a_reload(site: Site) -> None:
    """A refused upload is still in the tray after a reload, with its reason, and can be edited and shared."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 422")
    await share(visitor, photograph("temple"), {**TEXTS, "Place": "a" + "\u0301" * 9})
    await visitor.sees(visitor.page.locator(".tray-item.failed"))
    reason = await state(visitor.page).text_content()
    await visitor.page.reload()
    await visitor.sees_text(state(visitor.page), str(reason))
    offsets = patches(visitor.page)
    await visitor.page.get_by_role("button", name="Edit").click()
    await visitor.page.get_by_label("Place", exact=True).fill(TEXTS["Place"])
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await published(visitor, visitor.page)
    assert offsets == []  # The server has the photo already.
    await visitor.page.reload()
    await visitor.live()
    await expect(visitor.page.locator(".tray-item")).to_have_count(0)


async def test_a_cancelled_upload_is_gone(site: Site, large: Path) -> None:
    """An upload that the user cancels does not come back, and its bytes are removed from the server."""
    visitor = await site.signed_in()
    await slow_down(visitor.page)
    await share(visitor, large)
    await half_sent(visitor.page)
    async with visitor.page.expect_response(lambda response: response.request.method == "DELETE") as removed:
        await visitor.page.get_by_role("button", name="Cancel").click()
    assert (await removed.value).status == 204
    await visitor.page.reload()
    await visitor.live()
    await expect(visitor.page.locator(".tray-item")).to_have_count(0)
    assert await visitor.account.feed() == []


async def test_a_form_outlives_a_reload(site: Site) -> None:
    """What was chosen and written, but not shared yet, is there after a reload; once discarded, it is gone."""
    visitor = await site.signed_in()
    await visitor.choose(photograph("temple"))
    for label, text in TEXTS.items():
        await visitor.page.get_by_label(label, exact=True).fill(text)
    await visitor.page.reload()
    await visitor.sees(visitor.page.get_by_alt_text("The photo you chose"))
    for label, text in TEXTS.items():
        await expect(visitor.page.get_by_label(label, exact=True)).to_have_value(text)
    await visitor.visit("Home")
    await visitor.visit("New photo")
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await published(visitor, visitor.page)

    await visitor.choose(photograph("cat"))
    await visitor.page.get_by_label("Caption").fill("not this one")
    await visitor.page.get_by_role("button", name="Discard").click()
    await visitor.page.reload()
    await visitor.sees(visitor.page.get_by_role("button", name="Choose a photo"))
    await visitor.page.get_by_label("Choose a photo").set_input_files(photograph("cat"))
    await expect(visitor.page.get_by_label("Caption")).to_have_value("")


async def test_signing_out_removes_what_the_browser_keeps(site: Site, large: Path) -> None:
    """After signing out, nothing of the user's uploads and drafts is left for the next user of the browser."""
    visitor = await site.signed_in()
    await slow_down(visitor.page)
    await share(visitor, large)
    await half_sent(visitor.page)
    await visitor.choose(photograph("cat"))
    await visitor.page.get_by_label("Caption").fill("a secret")
    assert await kept(visitor.page) == 2
    await visitor.visit("Profile")
    await visitor.page.get_by_role("link", name="Settings").click()
    await visitor.page.get_by_role("button", name="Sign out").click()
    await visitor.sees(visitor.page.get_by_role("button", name="Sign in"))

    async def nothing() -> bool:
        return await kept(visitor.page) == 0

    await eventually(nothing)
    assert await visitor.page.evaluate("JSON.stringify(sessionStorage)") == "{}"
    await expect(visitor.page.locator(".tray-item")).to_have_count(0)


async def kept(page: Page) -> int:
    """Return how many uploads and drafts the browser keeps."""
    script = """new Promise((resolve, reject) => {
        const request = indexedDB.open("picshare");
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
            const stores = ["uploads", "drafts"];
            const transaction = request.result.transaction(stores);
            const counts = stores.map((name) => transaction.objectStore(name).count());
            transaction.oncomplete = () => resolve(counts[0].result + counts[1].result);
        };
    })"""
    count: int = await page.evaluate(script)
    return count
