"""Whatever a server sends, the client keeps working and does not flood it with attempts."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.live_tab import LONG_WAITS, LiveTab, OpenTab
from tests.browser.scripted_server import Message, ScriptedServer
from tests.support.eventually import eventually

NOT_THE_PROTOCOL = ["not JSON", '{"id":', "null", "5", "[]", '"text"', "\x00", '{}\n{"push":']
HUGE = 9 * 2**20
STOP_WHEN = """({ state, nth, user }) => {
    live.stop();
    let seen = 0;
    const listener = ({ detail }) => {
        if (detail.state !== state || ++seen < nth) return;
        live.removeEventListener("state", listener);
        live.stop();
    };
    live.addEventListener("state", listener);
    live.start({ user });
}"""
MAX_DELAYS = (500, 1000, 2000, 4000)  # milliseconds


@pytest.mark.parametrize("frame", NOT_THE_PROTOCOL)
async def test_a_malformed_frame_is_an_interruption(server: ScriptedServer, tab: LiveTab, frame: str) -> None:
    """After a malformed frame the client reconnects and recovers what it may have missed."""
    await (await tab.open()).live()
    await server.publish(1, "one")
    await tab.receives("one")
    server.history.append((2, "two"))
    await server.send_text(frame)
    await tab.receives("one", "two")
    assert (server.connects, await tab.state()) == (2, "live")
    assert {"state": "waiting", "reason": "malformed message"}.items() <= (await tab.states())[-3].items()


async def test_a_binary_frame_is_an_interruption(server: ScriptedServer, tab: LiveTab) -> None:
    """After a binary frame the client reconnects: it uses the JSON protocol."""
    await (await tab.open()).live()
    await server.open[0].send_bytes(b"\x81\xa2id\x01")
    await server.connected(2)
    await tab.live()


async def test_a_huge_frame_is_an_interruption(server: ScriptedServer, tab: LiveTab) -> None:
    """A frame above 8 Mi characters is not parsed; one of 4 Mi is accepted."""
    await (await tab.open()).live()
    await server.publish(1, "x" * (4 * 2**20))
    await eventually(lambda: _received(tab, 1))
    await server.send_text(json.dumps({"push": {"channel": "feed", "pub": {"offset": 2, "data": "x" * HUGE}}}))
    await server.connected(2)
    await tab.live()
    assert await _received(tab, 1)


@pytest.mark.parametrize(
    "message",
    [
        {"unknown": 1},
        {"id": 99, "subscribe": {}},
        {"id": "x", "error": "y"},
        {"push": 5},
        {"push": {}},
        {"push": {"channel": "feed"}},
        {"push": {"channel": "feed", "later": {"data": 1}}},
        {"push": {"channel": {"a": 1}, "pub": 5}},
        {"push": {"channel": "not subscribed", "pub": {"data": 1}}},
        {"push": {"channel": "not subscribed", "unsubscribe": 5}},
        {"push": {"channel": "__proto__", "pub": {"data": 1}}},
    ],
)
async def test_unknown_messages_are_ignored(server: ScriptedServer, tab: LiveTab, message: object) -> None:
    """Unknown messages, as a later server may send them, are ignored and not answered."""
    await (await tab.open()).live()
    before = len(server.commands)
    await server.send_text(json.dumps(message))
    await server.publish(1, "one")
    await tab.receives("one")
    assert (server.connects, len(server.commands)) == (1, before)


@pytest.mark.parametrize(
    "result",
    [
        {"subs": 5},
        {"subs": {"feed": None}},
        {"subs": {"feed": {"recoverable": True, "recovered": True, "publications": {"a": 1}, "offset": "7"}}},
        {"ping": "often", "expires": True, "ttl": "long"},
        {"expires": True, "ttl": 1e300},
        {"ping": -1},
    ],
)
async def test_a_malformed_connect_result_does_no_harm(server: ScriptedServer, tab: LiveTab, result: object) -> None:
    """The client is connected and works, whatever the connect result contains."""
    server.results = [result]  # type: ignore[list-item]
    await (await tab.open()).live()
    await tab.subscribe("photo:1")
    await eventually(lambda: server.sent("subscribe") == [{"channel": "photo:1"}])
    await server.publish(0, "liked", channel="photo:1")
    await tab.receives("liked")
    assert (server.connects, server.sent("refresh")) == (1, [])


async def test_a_failing_listener_does_not_affect_others(server: ScriptedServer, page: Page, tab: LiveTab) -> None:
    """An error in a listener of the page is reported; the other listeners and the client continue."""
    await tab.open()
    await page.evaluate(
        """() => {
            window.reportError = ({ message }) => received.push(message);
            const stop = live.on("feed", () => { stop(); throw new Error("mine"); });
            live.on("feed", ({ data }) => received.push(`also ${data}`));
        }"""
    )
    await tab.live()
    await server.publish(1, "one")
    await tab.receives("one", "mine", "also one")
    await server.publish(2, "two")
    await tab.receives("one", "mine", "also one", "two", "also two")


@pytest.mark.parametrize("moment", [("connecting", 1), ("connecting", 2), ("live", 1), ("waiting", 1)])
@pytest.mark.parametrize("user", [None, "ada"])
async def test_a_listener_may_stop_the_client(
    server: ScriptedServer, page: Page, moment: tuple[str, int], user: str | None
) -> None:
    """A client that a listener stops at any moment stays stopped and leaves no connection."""
    await page.clock.install()
    tab = await (await LiveTab(page, server.url, user=user).open()).live()
    state, nth = moment
    await page.evaluate(STOP_WHEN, {"state": state, "nth": nth, "user": user})
    if state == "waiting":
        await server.connected(2)
        await server.close(3001)
    await tab.reaches("stopped")
    await eventually(lambda: server.open == [])
    await page.clock.run_for(30_000)
    tickets = 1 if state == "connecting" else 2
    assert (await tab.state(), server.tickets, server.open) == ("stopped", tickets, [])


async def test_a_leader_may_stop_while_it_handles_a_message(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """A leader that its page stops while it handles a message is silent from then on, and another tab takes over."""
    leader = await (await tabs()).live()
    other = await (await tabs()).live()
    await leader.run("window.setTimeout = () => 0")  # so that the other tab's message finds its attempt overdue
    stop = "live.addEventListener('state', ({ detail }) => detail.state === 'connecting' && live.stop())"
    await leader.run(stop)
    await server.close(3001)
    await server.connected(2)
    await other.live()
    assert await leader.state() == "stopped"


@pytest.mark.parametrize("closes", [True, False])
async def test_delays_grow_while_connections_end_early(
    server: ScriptedServer, tab: LiveTab, page: Page, closes: bool
) -> None:
    """The delays between attempts grow if each connection, or one of its streams, ends right after its beginning."""
    await _connected(tab, page)
    for attempt, delay in enumerate(MAX_DELAYS, start=1):
        if closes:
            await server.close(3004)
        else:
            await server.send(_ended("feed"))
        await tab.reaches("waiting")
        await page.clock.run_for(delay - 1)
        assert server.tickets == attempt
        await page.clock.run_for(1)
        await server.connected(attempt + 1)
        await tab.live()


async def test_delays_grow_while_subscriptions_end_early(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """The delays between subscriptions grow if each of them ends right after its beginning."""
    await _connected(tab, page)
    await tab.subscribe("photo:1")
    await eventually(lambda: len(server.sent("subscribe")) == 1)
    for attempt, delay in enumerate(MAX_DELAYS, start=1):
        await server.send(_ended("photo:1"), {})
        await eventually(lambda attempt=attempt: server.commands.count({}) == attempt)  # type: ignore[misc]
        await page.clock.run_for(delay - 1)
        assert len(server.sent("subscribe")) == attempt
        await page.clock.run_for(1)
        await eventually(lambda after=attempt + 1: len(server.sent("subscribe")) == after)  # type: ignore[misc]


async def test_a_connection_that_lasted_resets_the_delay(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """A connection of ten seconds resets the delay of the next attempt."""
    await _connected(tab, page)
    for lasting, delay in ((0, 500), (9_000, 1000), (10_000, 500)):
        await page.clock.run_for(lasting)
        await server.close(3004)
        await tab.reaches("waiting")
        assert (await tab.states())[-1]["retryInMs"] == delay
        await page.clock.run_for(delay)
        await tab.live()


async def test_retry_after_is_respected(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """If a ticket is refused with Retry-After, only the user can make the client reconnect earlier."""
    await _connected(tab, page)
    server.ticket_status, server.retry_after = 429, 30
    await server.close(3004)
    await tab.reaches("waiting")
    await page.clock.run_for(500)
    await eventually(lambda: _delays_are(tab, [500, 30_000]))
    await page.clock.run_for(20_000)
    await tab.run("dispatchEvent(new Event('online'))")
    await page.clock.run_for(8_000)  # real time passes as well
    assert server.tickets == 2
    server.ticket_status = 200
    await tab.run("live.retryNow()")
    await tab.live()


def _ended(channel: str) -> Message:
    return {"push": {"channel": channel, "unsubscribe": {"code": 2500, "reason": "because"}}}


async def _connected(tab: LiveTab, page: Page) -> None:
    """Connect, with maximum delays and a stopped clock."""
    await page.add_init_script(LONG_WAITS)
    await page.clock.install()
    await (await tab.open()).live()
    await page.clock.pause_at(await page.evaluate("() => Date.now() / 1000 + 1"))


async def _delays_are(tab: LiveTab, expected: list[int]) -> bool:
    return [state["retryInMs"] for state in await tab.states() if "retryInMs" in state] == expected


async def _received(tab: LiveTab, number: int) -> bool:
    return bool(await tab.page.evaluate("() => received.length") == number)
