"""When the leading tab goes, another takes over at once, without losing or repeating a publication."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.live_tab import LiveTab, OpenTab
from tests.browser.scripted_server import ScriptedServer
from tests.browser.tab_strip import TabStrip
from tests.support.eventually import PROMPTLY, eventually

# A synchronous request blocks everything else in the page.
HANG = """() => {
    const request = new XMLHttpRequest();
    request.open("GET", "/hang", false);
    setTimeout(() => request.send());
}"""
TEN_TIMES_AS_FAST = """
    const { setTimeout: timeout, setInterval: interval } = window, { now } = Date, began = now();
    window.setTimeout = (act, ms) => timeout(act, ms / 10);
    window.setInterval = (act, ms) => interval(act, ms / 10);
    Date.now = () => began + 10 * (now() - began);
"""


@pytest_asyncio.fixture(loop_scope="session")
async def strip(browser_with_windows: Browser) -> AsyncIterator[TabStrip]:
    """A window with real tabs."""
    async with TabStrip.of(browser_with_windows) as strip:
        yield strip


async def close(page: Page) -> None:
    """Close a page."""
    await page.close()


async def crash(page: Page) -> None:
    """Crash the page's process."""
    session = await page.context.new_cdp_session(page)
    async with page.expect_event("crash"):
        unanswered = asyncio.ensure_future(session.send("Page.crash"))
    unanswered.cancel()


async def leave(page: Page) -> None:
    """Go to another page."""
    await page.goto("about:blank")


@pytest.mark.parametrize("go", [close, crash, leave])
async def test_another_tab_takes_over(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext, go: Callable[[Page], Awaitable[None]]
) -> None:
    """However the leading tab goes, each publication before, during and after the handover reaches the others once."""
    await (await tabs()).live()
    others = [await (await tabs()).live() for _ in range(2)]
    await server.publish(1, "one")
    for tab in others:
        await tab.receives("one")
    await server.publish(2, "two")
    await go(context.pages[0])
    await server.publish(3, "three")
    await server.connected(2)
    await server.publish(4, "four")
    for tab in others:
        await tab.receives("one", "two", "three", "four")
    assert (server.connects, server.tickets) == (2, 2)
    await server.one_open()


async def test_the_handover_is_quick(server: ScriptedServer, tabs: OpenTab, context: BrowserContext) -> None:
    """The next tab is connected within a second."""
    await (await tabs()).live()
    await (await tabs()).live()
    await context.pages[0].close()
    await eventually(lambda: server.connects == 2, within=PROMPTLY)


async def test_channels_are_handed_over(server: ScriptedServer, tabs: OpenTab, context: BrowserContext) -> None:
    """The new leader subscribes to the channels of the remaining tabs, and their `resumed` handlers are called."""
    await (await tabs()).live()
    others = [await (await tabs()).live() for _ in range(2)]
    for tab in others:
        await tab.subscribe("photo:1")
    await others[0].subscribe("photo:2")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await context.pages[0].close()
    await others[0].receives("photo:1 resumed", "photo:2 resumed")
    await others[1].receives("photo:1 resumed")
    assert len(server.sent("subscribe")) == 4


async def test_a_stream_that_was_empty_is_handed_over(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """The first publication of a stream is not missed when it is published during a handover."""
    await (await tabs()).live()
    other = await (await tabs()).live()
    await server.close(3503)  # final, so that no tab is connected
    await other.reaches("stopped")
    server.history.append((1, "one"))
    await context.pages[0].close()
    await other.receives("one")


async def test_a_new_tab_takes_the_positions_of_the_leader(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """A tab that has received nothing yet recovers from the position of the former leader."""
    await (await tabs()).live()
    await server.publish(1, "before")
    late = await (await tabs()).live()
    await context.pages[0].close()
    await server.publish(2, "meanwhile")
    await late.receives("meanwhile")


async def test_a_frozen_leader_is_replaced(server: ScriptedServer, strip: TabStrip) -> None:
    """A frozen leader is replaced at once; when it resumes, the new leader sends it what it has missed."""
    frozen = await strip.tab()
    first = await (await LiveTab(frozen, server.url, user="ada").open()).live()
    second = await (await LiveTab(await strip.tab(), server.url, user="ada").open()).live()
    await server.publish(1, "one")
    await first.receives("one")
    await frozen.visibility("hidden")
    await frozen.freeze()
    await server.connected(2)
    await server.one_open()
    await server.publish(2, "two")
    await second.receives("one", "two")
    await frozen.thaw()
    await first.receives("one", "two")
    await server.publish(3, "three")
    for tab in (first, second):
        await tab.receives("one", "two", "three")
    assert server.connects == 2


async def test_a_frozen_follower_is_skipped(server: ScriptedServer, strip: TabStrip) -> None:
    """If the leader goes while the next tab in the queue is frozen, the tab after it takes over."""
    leading = await strip.tab()
    await (await LiveTab(leading, server.url, user="ada").open()).live()
    frozen = await strip.tab()
    await (await LiveTab(frozen, server.url, user="ada").open()).live()
    third = await (await LiveTab(await strip.tab(), server.url, user="ada").open()).live()
    await frozen.visibility("hidden")
    await frozen.freeze()
    await leading.goto("about:blank")
    await server.connected(2)
    await server.publish(1, "one")
    await third.receives("one")


@pytest.mark.parametrize("wakes_up", [True, False])
async def test_a_leader_that_does_not_answer_is_replaced(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext, wakes_up: bool
) -> None:
    """A leader that hangs is replaced by a visible tab, and follows it when it runs again."""
    hanging = await (await tabs()).live()
    await context.add_init_script(TEN_TIMES_AS_FAST)
    other = await (await tabs()).live()
    await server.publish(1, "one")
    await other.receives("one")
    async with server.hang():
        await context.pages[0].evaluate(HANG)
        await server.publish(2, "two")
        if wakes_up:
            await other.run("dispatchEvent(new Event('online'))")
        await server.connected(2)
        await server.publish(3, "three")
        await other.receives("one", "two", "three")
    await hanging.receives("one", "two", "three")
    await server.one_open()
    await server.publish(4, "four")
    for tab in (hanging, other):
        await tab.receives("one", "two", "three", "four")
    # The former leader is in the queue again.
    await context.pages[1].close()
    await server.connected(3)
    await server.publish(5, "five")
    await hanging.receives("one", "two", "three", "four", "five")


async def test_messages_of_a_replaced_leader_are_ignored(server: ScriptedServer, tabs: OpenTab) -> None:
    """The messages of a leader that does not know yet that it was replaced change nothing for the other tabs."""
    one, other = [await (await tabs()).live() for _ in range(2)]
    await other.run(
        """const bus = new BroadcastChannel("picshare.live.2.ada");
        const from = "replaced";
        bus.postMessage({ type: "leader", from, term: 1, status: { state: "stopped" }, positions: {} });
        const update = { epoch: "e", from: 0, to: 1, publications: [{ offset: 1, data: "stale" }], gap: false };
        bus.postMessage({ type: "update", from, stream: "feed", update });"""
    )
    await server.publish(1, "one")
    for tab in (one, other):
        await tab.receives("one")
        assert await tab.state() == "live"
    assert (server.connects, len(server.open)) == (1, 1)


async def test_a_tab_returns_from_the_back_forward_cache(server: ScriptedServer, strip: TabStrip) -> None:
    """A leader in the back/forward cache is replaced; when it is restored it receives what it has missed, once."""
    navigated = await strip.tab()
    first = await (await LiveTab(navigated, server.url, user="ada").open()).live()
    second = await (await LiveTab(await strip.tab(), server.url, user="ada").open()).live()
    await server.publish(1, "one")
    await first.receives("one")
    await navigated.evaluate(
        "() => { addEventListener('pageshow', ({ persisted }) => { window.restored = persisted; }); }"
    )
    await navigated.goto(f"{server.url}/?elsewhere")
    await server.connected(2)
    await server.publish(2, "two")
    await second.receives("one", "two")
    await navigated.evaluate("() => { history.back(); }")
    await navigated.restored()
    for tab in (first, second):
        await tab.receives("one", "two")
    await server.publish(3, "three")
    for tab in (first, second):
        await tab.receives("one", "two", "three")
    assert server.connects == 2
