"""When the leading tab is gone another takes over at once, and nobody misses or repeats anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.live_tab import LiveTab, OpenTab
from tests.browser.scripted_server import ScriptedServer
from tests.browser.tab_strip import TabStrip
from tests.support.eventually import eventually

# Nothing else runs in a page that waits for an answer like this.
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
async def strip(browser: Browser) -> AsyncIterator[TabStrip]:
    """A window with real tabs."""
    async with TabStrip.of(browser) as strip:
        yield strip


async def close(page: Page) -> None:
    """Close a page as a person does."""
    await page.close()


async def crash(page: Page) -> None:
    """Let the page's process end in the middle of things."""
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
    """However the leading tab goes, what is published before, meanwhile and after reaches the others once."""
    await (await tabs()).live()
    others = [await (await tabs()).live() for _ in range(2)]
    await server.publish(1, "one")
    for tab in others:
        await tab.hears("one")
    await server.publish(2, "two")
    await go(context.pages[0])
    await server.publish(3, "three")
    await server.connected(2)
    await server.publish(4, "four")
    for tab in others:
        await tab.hears("one", "two", "three", "four")
    assert (server.connects, server.tickets) == (2, 2)
    await server.alone()


async def test_the_handover_is_quick(server: ScriptedServer, tabs: OpenTab, context: BrowserContext) -> None:
    """The next tab is connected within a second of the closing."""
    await (await tabs()).live()
    await (await tabs()).live()
    await context.pages[0].close()
    await eventually(lambda: server.connects == 2, within=1)


async def test_channels_are_handed_over(server: ScriptedServer, tabs: OpenTab, context: BrowserContext) -> None:
    """The new leader subscribes to what the remaining tabs read, and each is told to look anew."""
    await (await tabs()).live()
    others = [await (await tabs()).live() for _ in range(2)]
    for tab in others:
        await tab.read("photo:1")
    await others[0].read("photo:2")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await context.pages[0].close()
    await others[0].hears("photo:1 resumed", "photo:2 resumed")
    await others[1].hears("photo:1 resumed")
    assert len(server.sent("subscribe")) == 4


async def test_a_stream_that_was_empty_is_handed_over(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """What is published first of all, and during a handover, is not missed."""
    await (await tabs()).live()
    other = await (await tabs()).live()
    await server.close(3503)  # so that nobody is connected
    await other.says("stopped")
    server.history.append((1, "one"))
    await context.pages[0].close()
    await other.hears("one")


async def test_a_new_tab_knows_where_the_streams_stand(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """A tab that was opened later and has heard nothing yet recovers from where the leader was."""
    await (await tabs()).live()
    await server.publish(1, "before")
    late = await (await tabs()).live()
    await context.pages[0].close()
    await server.publish(2, "meanwhile")
    await late.hears("meanwhile")


async def test_a_frozen_leader_is_replaced(server: ScriptedServer, strip: TabStrip) -> None:
    """A leader that the browser freezes gives way at once; thawed, it hears from the new one what it has missed."""
    frozen = await strip.tab()
    first = await (await LiveTab(frozen, server.url, person="ada").open()).live()
    second = await (await LiveTab(await strip.tab(), server.url, person="ada").open()).live()
    await server.publish(1, "one")
    await first.hears("one")
    await frozen.visibility("hidden")
    await frozen.freeze()
    await server.connected(2)
    await server.alone()
    await server.publish(2, "two")
    await second.hears("one", "two")
    await frozen.thaw()
    await first.hears("one", "two")
    await server.publish(3, "three")
    for tab in (first, second):
        await tab.hears("one", "two", "three")
    assert server.connects == 2


async def test_a_frozen_follower_does_not_stand_in_the_way(server: ScriptedServer, strip: TabStrip) -> None:
    """When the leader goes while the next in the queue is frozen, the one after it takes over."""
    leading = await strip.tab()
    await (await LiveTab(leading, server.url, person="ada").open()).live()
    frozen = await strip.tab()
    await (await LiveTab(frozen, server.url, person="ada").open()).live()
    third = await (await LiveTab(await strip.tab(), server.url, person="ada").open()).live()
    await frozen.visibility("hidden")
    await frozen.freeze()
    await leading.goto("about:blank")
    await server.connected(2)
    await server.publish(1, "one")
    await third.hears("one")


@pytest.mark.parametrize("somebody_comes", [True, False])
async def test_a_leader_that_does_not_answer_is_replaced(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext, somebody_comes: bool
) -> None:
    """A leader that hangs loses its place to a tab that somebody looks at, and follows when it comes to itself."""
    hanging = await (await tabs()).live()
    await context.add_init_script(TEN_TIMES_AS_FAST)
    other = await (await tabs()).live()
    await server.publish(1, "one")
    await other.hears("one")
    async with server.hang():
        await context.pages[0].evaluate(HANG)
        await server.publish(2, "two")
        if somebody_comes:
            await other.run("dispatchEvent(new Event('online'))")
        await server.connected(2)
        await server.publish(3, "three")
        await other.hears("one", "two", "three")
    await hanging.hears("one", "two", "three")
    await server.alone()
    await server.publish(4, "four")
    for tab in (hanging, other):
        await tab.hears("one", "two", "three", "four")
    # It waits for its turn again.
    await context.pages[1].close()
    await server.connected(3)
    await server.publish(5, "five")
    await hanging.hears("one", "two", "three", "four", "five")


async def test_a_deposed_leader_is_not_heard(server: ScriptedServer, tabs: OpenTab) -> None:
    """What a leader says that was replaced and does not know yet changes nothing for the others."""
    one, other = [await (await tabs()).live() for _ in range(2)]
    await other.run(
        """const bus = new BroadcastChannel("picshare.live.1.ada");
        const from = "deposed";
        bus.postMessage({ type: "lead", from, term: 1, status: { state: "stopped" }, positions: {} });
        const step = { epoch: "e", from: 0, to: 1, publications: [{ offset: 1, data: "stale" }], gap: false };
        bus.postMessage({ type: "step", from, stream: "feed", step });"""
    )
    await server.publish(1, "one")
    for tab in (one, other):
        await tab.hears("one")
        assert await tab.state() == "live"
    assert (server.connects, len(server.open)) == (1, 1)


async def test_a_tab_that_was_put_aside_comes_back(server: ScriptedServer, strip: TabStrip) -> None:
    """A leader in the back/forward cache gives way; when its person goes back it hears what it has missed, once."""
    aside = await strip.tab()
    first = await (await LiveTab(aside, server.url, person="ada").open()).live()
    second = await (await LiveTab(await strip.tab(), server.url, person="ada").open()).live()
    await server.publish(1, "one")
    await first.hears("one")
    await aside.evaluate("() => { addEventListener('pageshow', ({ persisted }) => { window.kept = persisted; }); }")
    await aside.goto(f"{server.url}/?elsewhere")
    await server.connected(2)
    await server.publish(2, "two")
    await second.hears("one", "two")
    await aside.evaluate("() => { history.back(); }")
    await aside.kept()
    for tab in (first, second):
        await tab.hears("one", "two")
    await server.publish(3, "three")
    for tab in (first, second):
        await tab.hears("one", "two", "three")
    assert server.connects == 2
