"""The browser's live client against a server that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.scripted_server import ScriptedServer, publication, stream
from tests.support.eventually import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in a context of its own."""
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(page: Page) -> ScriptedServer:
    """A scripted server that nobody has connected to yet."""
    return ScriptedServer(page)


async def test_a_reconnect_asks_for_what_was_missed(server: ScriptedServer, service_url: str) -> None:
    """After an interruption the client names the last offset it has, and delivers what it missed, once."""
    missed = [{"offset": 8, "data": "eight"}, {"offset": 9, "data": "nine"}]
    server.results = [stream(5), stream(9, recovered=True, was_recovering=True, publications=missed)]
    await server.start(service_url)
    server.send(publication(6, "six"), publication(7, "seven"))
    await server.heard("six", "seven")
    await server.close(3001, "shutdown")
    await server.connected(2)
    assert server.sent("connect")[1]["subs"] == {"feed": {"recover": True, "epoch": "e", "offset": 7}}
    await server.heard("six", "seven", "eight", "nine")
    server.send(publication(9, "nine again"), publication(10, "ten"))
    await server.heard("six", "seven", "eight", "nine", "ten")


async def test_what_cannot_be_told_is_a_gap(server: ScriptedServer, service_url: str) -> None:
    """When the server cannot tell what was missed the reader hears of a gap, and goes on from the new position."""
    server.results = [stream(5), stream(2, epoch="f", recovered=False)]
    await server.start(service_url)
    await server.close(3010, "insufficient state")
    await server.connected(2)
    await server.heard("gap")
    server.publish(3, "three")
    await server.heard("gap", "three")
    await server.close(3004)
    await server.connected(3)
    assert server.sent("connect")[2]["subs"]["feed"] == {"recover": True, "epoch": "f", "offset": 3}


async def test_the_first_connect_asks_for_nothing(server: ScriptedServer, service_url: str) -> None:
    """A client without a position recovers nothing and reports no gap; each connection has a ticket of its own."""
    server.results = [stream(5)]
    await server.start(service_url)
    server.publish(6, "six")
    await server.heard("six")
    assert server.sent("connect")[0]["subs"] == {}
    await server.close(3001)
    await server.connected(2)
    assert [item["token"] for item in server.sent("connect")] == ["ticket 1", "ticket 2"]


@pytest.mark.parametrize("code", [3501, 3503, 3504, 4500])
async def test_a_final_close_is_obeyed(server: ScriptedServer, page: Page, service_url: str, code: int) -> None:
    """Codes 3500–3999 and 4500–4999 end it, until the person asks to connect again."""
    await server.start(service_url)
    await server.close(code, "force disconnect")
    await eventually(lambda: _is(server, "stopped"))
    assert server.connects == 1
    await page.evaluate("() => live.retryNow()")
    await server.connected(2)


@pytest.mark.parametrize("code", [1000, 3000, 3012, 4000])
async def test_every_other_close_is_an_interruption(server: ScriptedServer, service_url: str, code: int) -> None:
    """All other codes bring the client back by itself."""
    await server.start(service_url)
    await server.close(code, "shutdown")
    await server.connected(2)
    await eventually(lambda: _is(server, "live"))


async def test_pings_are_answered(server: ScriptedServer, service_url: str) -> None:
    """An empty message is a ping, and the client answers with one."""
    await server.start(service_url)
    server.send({})
    await eventually(lambda: {} in server.commands)


async def test_a_silent_server_is_left(server: ScriptedServer, page: Page, service_url: str) -> None:
    """Without a ping for its interval and ten seconds more, the client takes the connection for dead."""
    await page.clock.install()
    await server.start(service_url)
    await eventually(lambda: _is(server, "live"))
    await page.clock.run_for(34_000)
    assert await server.state() == "live"
    await page.clock.run_for(2_000)
    await page.clock.run_for(1_000)
    await server.connected(2)


async def test_an_expired_ticket_is_replaced(server: ScriptedServer, service_url: str) -> None:
    """Error 109 at connect is tried again with a fresh ticket."""
    server.refuse["connect"] = {"code": 109, "message": "token expired"}
    await server.open(service_url)
    await eventually(lambda: len(server.sent("connect")) >= 2, within=10)
    server.refuse.clear()
    await server.connected(1)
    await eventually(lambda: _is(server, "live"))


async def test_channels_come_back_after_an_interruption(server: ScriptedServer, page: Page, service_url: str) -> None:
    """A channel that a page wants is subscribed again after a reconnect, and the page is told to look anew."""
    await server.start(service_url)
    await page.evaluate(
        """() => {
            window.stopOne = live.subscribe("photo:1", {
                publication: (data) => heard.push(data),
                resumed: () => heard.push("resumed"),
            });
            window.stopTwo = live.subscribe("photo:1", { publication: () => {} });
        }"""
    )
    await eventually(lambda: server.sent("subscribe") == [{"channel": "photo:1"}])
    server.publish(0, "liked", channel="photo:1")
    await server.heard("liked")
    await server.close(3001)
    await server.connected(2)
    await server.heard("liked", "resumed")
    await page.evaluate("() => { stopOne(); stopTwo(); }")
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:1"}])


async def test_a_refused_channel_is_not_asked_for_again(server: ScriptedServer, page: Page, service_url: str) -> None:
    """A channel that the server denies is reported to its reader and left alone."""
    server.refuse["photo:2"] = {"code": 103, "message": "permission denied"}
    await server.start(service_url)
    await page.evaluate("() => { live.subscribe('photo:2', { failed: ({ code }) => heard.push(code) }); }")
    await server.heard(103)
    await page.evaluate("() => { live.subscribe('photo:3', {}); }")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    assert [item["channel"] for item in server.sent("subscribe")] == ["photo:2", "photo:3"]


async def _is(server: ScriptedServer, state: str) -> bool:
    return await server.state() == state
