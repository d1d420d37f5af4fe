"""The client reconnects or checks its connection at once when the network, the machine or the user is back."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.live_tab import LONG_WAITS, LiveTab
from tests.browser.scripted_server import ScriptedServer
from tests.browser.tab_strip import TabStrip
from tests.support.eventually import eventually


async def connected(tab: LiveTab, page: Page) -> None:
    """Connect, and stop the clock two seconds later."""
    await page.clock.install()
    await page.add_init_script(LONG_WAITS)
    await (await tab.open()).live()
    await page.clock.pause_at(await page.evaluate("() => Date.now() / 1000 + 2"))


async def interrupted(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """Connect, and interrupt the connection; the stopped clock prevents the next attempt."""
    await connected(tab, page)
    await server.close(3001, "shutdown")
    await tab.reaches("waiting")


@pytest.mark.parametrize(
    "event",
    [
        "window.dispatchEvent(new Event('online'))",
        "window.dispatchEvent(new PageTransitionEvent('pageshow'))",
        "document.dispatchEvent(new Event('visibilitychange'))",
    ],
)
async def test_waking_up_reconnects_at_once(server: ScriptedServer, tab: LiveTab, page: Page, event: str) -> None:
    """The client does not wait for its next attempt when the network is back or the page is shown again."""
    await interrupted(server, tab, page)
    await tab.run(event)
    await tab.live()
    assert server.connects == 2


async def test_without_a_network_the_client_is_offline(
    server: ScriptedServer, tab: LiveTab, context: BrowserContext
) -> None:
    """The browser's offline event ends the connection, and its online event restores it."""
    await (await tab.open()).live()
    await context.set_offline(True)
    await tab.reaches("offline")
    await eventually(lambda: server.open == [])
    await context.set_offline(False)
    await tab.live()


async def test_after_sleep_the_connection_is_checked(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """A jump of the clock shows that the machine has slept; the client pings its socket and replaces a dead one."""
    await connected(tab, page)
    server.mute = True
    await page.clock.fast_forward(20_000)  # asleep; the server's pings may be late by 35 s
    assert await tab.state() == "live"
    await page.clock.run_for(3_900)
    assert await tab.state() == "live"
    await page.clock.run_for(200)
    assert await tab.state() == "waiting"
    server.mute = False
    await page.clock.run_for(600)
    await tab.live()


async def test_after_a_long_sleep_the_connection_is_replaced(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """After a sleep longer than the server's ping timeout the socket is replaced at once, without a ping."""
    await connected(tab, page)
    await page.clock.fast_forward(3_600_000)
    await server.connected(2)
    await tab.live()


async def test_a_socket_that_answers_is_kept(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """A page that is shown again pings the server; if the server answers, nothing changes."""
    await page.clock.install()
    await (await tab.open()).live()
    await page.clock.run_for(3000)
    await tab.run("document.dispatchEvent(new Event('visibilitychange'))")
    await eventually(lambda: server.sent("ping") == [{}])
    await page.clock.run_for(5000)
    assert await tab.state() == "live"
    assert server.connects == 1


async def test_a_hidden_page_waits(server: ScriptedServer, browser_with_windows: Browser) -> None:
    """A hidden page does not reconnect on waking up, and does so when it is shown."""
    async with TabStrip.of(browser_with_windows) as strip:
        behind = await strip.tab()
        tab = await (await LiveTab(behind, server.url).open()).live()
        await strip.tab()
        await behind.visibility("hidden")
        await tab.run("window.setTimeout = () => 0")  # so that only waking up makes it reconnect
        await server.close(3001, "shutdown")
        await tab.reaches("waiting")
        await tab.run("const { now } = Date; Date.now = () => now() + 60_000; dispatchEvent(new Event('online'));")
        assert await tab.state() == "waiting"
        await behind.show()
        await tab.live()
        assert server.connects == 2


async def test_a_visible_tab_wakes_the_leader(server: ScriptedServer, browser_with_windows: Browser) -> None:
    """The visible tab makes a leader in the background, whose timers are delayed, run what is due."""
    async with TabStrip.of(browser_with_windows) as strip:
        behind = await strip.tab()
        leader = LiveTab(behind, server.url, user="ada")
        await (await leader.open()).live()
        front = await (await LiveTab(await strip.tab(), server.url, user="ada").open()).live()
        await behind.visibility("hidden")
        # After five minutes in the background, the browser runs no timer of the leader for a minute.
        await leader.run("window.setTimeout = () => 0")
        await server.close(3001, "shutdown")
        await eventually(lambda: server.connects == 2)
        await front.live()
        assert await leader.state() == "live"


async def test_repeated_waking_up_is_rate_limited(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """Attempts begin at least a second apart, however often the browser reports that the network is back."""
    await page.add_init_script(LONG_WAITS)
    await (await tab.open()).live()
    server.ticket_status = 503
    await server.close(3001, "shutdown")
    await tab.reaches("waiting")
    await tab.run("setInterval(() => dispatchEvent(new Event('online')), 5)")
    await eventually(lambda: server.tickets == 2)
    began = await page.evaluate("() => performance.now()")
    await eventually(lambda: server.tickets == 3)
    assert await page.evaluate("() => performance.now()") - began > 800
