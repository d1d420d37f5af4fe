"""All tabs of a person share one connection: what it hears, what it wants, and how it fares reaches every tab."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.live_tab import OpenTab
from tests.browser.scripted_server import ScriptedServer, stream
from tests.support.eventually import eventually

LEADER = """async () => {
    const { Leader } = await import("/static/live/leader.js");
    const { Streams } = await import("/static/live/streams.js");
    window.told = [];
    const post = ({ type, channel, to }) => channel && told.push(`${type} ${channel} to ${to}`);
    const ticket = async () => (await fetch("/ticket", { method: "POST" })).json();
    const membership = { id: "me", post, whenGone: () => {} };
    window.leader = new Leader({ membership, streams: new Streams(), ticket, term: 1 });
    leader.start();
}"""
# The publication "lost" does not reach the tab.
LOSE_ONE = """
    const { set } = Object.getOwnPropertyDescriptor(BroadcastChannel.prototype, "onmessage");
    const isLost = ({ step }) => step?.to === 2 && step.from === 1;
    Object.defineProperty(BroadcastChannel.prototype, "onmessage", {
        set(listener) { set.call(this, (event) => isLost(event.data) || listener(event)); },
    });
"""


async def test_three_tabs_have_one_connection(server: ScriptedServer, tabs: OpenTab) -> None:
    """Three tabs that open at once make one connection with one ticket, and each hears every publication once."""
    three = await asyncio.gather(tabs(), tabs(), tabs())
    for tab in three:
        await tab.live()
    await server.publish(6, "six")
    await server.publish(7, "seven")
    for tab in three:
        await tab.hears("six", "seven")
    assert (server.tickets, server.connects, len(server.open)) == (1, 1, 1)


async def test_the_connection_ends_with_the_last_tab(server: ScriptedServer, tabs: OpenTab) -> None:
    """Stopping in one tab leaves the others connected; after the last one the server has no connection."""
    one, other = await tabs(), await tabs()
    await one.live()
    await other.live()
    await one.run("live.stop()")
    await server.connected(2)
    await other.live()
    await server.publish(6, "six")
    await other.hears("six")
    await one.hears()
    await other.run("live.stop()")
    await eventually(lambda: server.open == [])


async def test_two_tabs_want_the_same_photo(server: ScriptedServer, tabs: OpenTab) -> None:
    """Two tabs that read one channel are one subscription, which lasts until both have left it."""
    one, other = [await (await tabs()).live() for _ in range(2)]
    for tab in (one, other):
        await tab.read("photo:1")
    await other.read("photo:2")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await server.publish(0, "liked", channel="photo:1")
    await server.publish(0, "seen", channel="photo:2")
    await one.hears("liked")
    await other.hears("liked", "seen")
    await one.end("photo:1")
    await other.end("photo:2")
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:2"}])
    await other.end("photo:1")
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:2"}, {"channel": "photo:1"}])
    assert sorted(item["channel"] for item in server.sent("subscribe")) == ["photo:1", "photo:2"]


async def test_a_closed_tab_wants_nothing(server: ScriptedServer, tabs: OpenTab, context: BrowserContext) -> None:
    """The subscriptions of a tab that was closed end, save those that another tab wants, too."""
    one, other = [await (await tabs()).live() for _ in range(2)]
    await one.read("photo:1")
    for channel in ("photo:1", "photo:2"):
        await other.read(channel)
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await context.pages[1].close()
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:2"}])
    await server.publish(0, "liked", channel="photo:1")
    await one.hears("liked")


async def test_a_refusal_reaches_every_reader(server: ScriptedServer, tabs: OpenTab) -> None:
    """When the server denies a channel, each tab that reads it is told, and nobody asks again."""
    server.refuse["photo:1"] = {"code": 103, "message": "permission denied"}
    one, other = await tabs(), await tabs()
    await other.read("photo:1")
    await other.hears("photo:1 failed 103")
    server.refuse.clear()
    await one.read("photo:1")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await server.send({"push": {"channel": "photo:1", "unsubscribe": {"code": 2000, "reason": "gone"}}})
    await one.hears("photo:1 failed 2000")
    await other.hears("photo:1 failed 103")


async def test_a_leader_asks_once_and_tells_whom_it_concerns(server: ScriptedServer, page: Page) -> None:
    """Whoever repeats what they want hears it once, and what was refused is asked again only for a new reader."""
    await page.goto(server.url)
    server.refuse["photo:2"] = {"code": 103, "message": "permission denied"}
    await page.evaluate(LEADER)

    async def here(tab: str, *channels: tuple[str, int]) -> None:
        message = {"type": "here", "from": tab, "channels": channels, "positions": {}}
        await page.evaluate("(message) => leader.receive(message)", message)

    async def told(*wanted: str) -> None:
        async def agrees() -> bool:
            found = await page.evaluate("() => told")
            assert found == list(wanted), found
            return True

        await eventually(agrees)

    await here("one", ("photo:1", 1))
    await told("joined photo:1 to one")
    await here("one", ("photo:1", 1), ("photo:2", 2))
    await told("joined photo:1 to one", "refused photo:2 to one")
    await here("one", ("photo:1", 1), ("photo:2", 2))
    await here("other", ("photo:1", 1))
    await told("joined photo:1 to one", "refused photo:2 to one", "joined photo:1 to other")
    assert len(server.sent("subscribe")) == 2
    await here("one", ("photo:1", 1), ("photo:2", 3))
    await eventually(lambda: len(server.sent("subscribe")) == 3)


async def test_a_message_that_was_missed_is_told_again(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """A tab that did not get a message notices with the next one, and hears both from the leader."""
    await (await tabs()).live()
    await context.add_init_script(LOSE_ONE)
    other = await (await tabs()).live()
    for offset, data in ((1, "one"), (2, "lost"), (3, "three")):
        await server.publish(offset, data)
    await other.hears("one", "lost", "three")


async def test_state_and_gaps_reach_every_tab(server: ScriptedServer, tabs: OpenTab) -> None:
    """Each tab says how the connection fares, hears of a gap, and can ask to connect again."""
    server.results = [stream(5), stream(2, epoch="f", recovered=False)]
    one, other = await tabs(), await tabs()
    for tab in (one, other):
        await tab.live()
    await server.close(3503, "force disconnect")
    for tab in (one, other):
        await tab.says("stopped")
        assert (await tab.states())[-1]["reason"] == "force disconnect"
    await other.run("live.retryNow()")
    for tab in (one, other):
        await tab.live()
        await tab.hears("gap")
    assert server.connects == 2


async def test_one_more_tab_brings_a_stopped_connection_back(server: ScriptedServer, tabs: OpenTab) -> None:
    """Whoever opens a tab after the server had ended the connection for good is connected again."""
    one = await (await tabs()).live()
    await server.close(3504, "connection limit")
    await one.says("stopped")
    await (await tabs()).live()
    await one.live()


async def test_another_person_hears_nothing(server: ScriptedServer, tabs: OpenTab) -> None:
    """Two people in one browser have a connection each; neither hears what the other's brings."""
    ada, bob = await tabs("ada"), await tabs("bob")
    for tab in (ada, bob):
        await tab.live()
    assert server.connects == 2
    first, second = server.open
    await first.send_json({"push": {"channel": "feed", "pub": {"offset": 1, "data": "for ada"}}})
    await ada.read("photo:1")
    await eventually(lambda: len(server.sent("subscribe")) == 1)
    await first.send_json({"push": {"channel": "photo:1", "pub": {"data": "ada's photo"}}})
    await bob.read("photo:1")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await second.send_json({"push": {"channel": "feed", "pub": {"offset": 1, "data": "for bob"}}})
    await ada.hears("for ada", "ada's photo")
    await bob.hears("for bob")


async def test_who_signs_in_next_begins_anew(server: ScriptedServer, tabs: OpenTab) -> None:
    """A client that is started for another person asks for nothing of the former one, and hears no more of them."""
    await server.publish(5, "five")
    one, other = await tabs("ada"), await tabs("ada")
    for tab in (one, other):
        await tab.live()
    await one.run("live.stop(); live.start({ person: 'bob' })")
    await server.connected(3)  # the other tab has taken ada's over
    for tab in (one, other):
        await tab.live()
    asked = [bool(item["subs"]) for item in server.sent("connect")]
    assert sorted(asked) == [False, False, True]
    adas = asked.index(True) - 1  # the first connection is closed
    await server.open[adas].send_json({"push": {"channel": "feed", "pub": {"offset": 6, "data": "for ada"}}})
    await other.hears("for ada")
    await server.open[1 - adas].send_json({"push": {"channel": "feed", "pub": {"offset": 7, "data": "for bob"}}})
    await one.hears("for bob")
    await other.hears("for ada")


@pytest.mark.parametrize(
    "lacking",
    [
        "delete Navigator.prototype.locks",
        "delete window.BroadcastChannel",
        "navigator.locks.request = () => Promise.reject(new DOMException('no storage', 'SecurityError'))",
    ],
)
async def test_a_browser_that_cannot_share(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext, lacking: str
) -> None:
    """Where the browser lacks locks or channels, or denies them, each tab has a connection of its own."""
    await context.add_init_script(lacking)
    one, other = await tabs(), await tabs()
    for tab in (one, other):
        await tab.live()
        await tab.read("photo:1")
    assert server.connects == 2
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await server.publish(6, "six")
    for tab in (one, other):
        await tab.hears("six")
