"""All tabs of a user share one connection: its publications, channels and state reach every tab."""

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
    window.posted = [];
    const post = ({ type, channel, to }) => channel && posted.push(`${type} ${channel} to ${to}`);
    const ticket = async () => (await fetch("/ticket", { method: "POST" })).json();
    const membership = { id: "me", post, onMemberLeft: () => {} };
    window.leader = new Leader({ membership, streams: new Streams(), ticket, term: 1 });
    leader.start();
}"""
# Drops the message with the publication "lost" on its way to the tab.
LOSE_ONE = """
    const { set } = Object.getOwnPropertyDescriptor(BroadcastChannel.prototype, "onmessage");
    const isLost = ({ update }) => update?.to === 2 && update.from === 1;
    Object.defineProperty(BroadcastChannel.prototype, "onmessage", {
        set(listener) { set.call(this, (event) => isLost(event.data) || listener(event)); },
    });
"""


async def test_three_tabs_have_one_connection(server: ScriptedServer, tabs: OpenTab) -> None:
    """Three tabs that open at once make one connection with one ticket, and each receives every publication once."""
    three = await asyncio.gather(tabs(), tabs(), tabs())
    for tab in three:
        await tab.live()
    await server.publish(6, "six")
    await server.publish(7, "seven")
    for tab in three:
        await tab.receives("six", "seven")
    assert (server.tickets, server.connects, len(server.open)) == (1, 1, 1)


async def test_the_connection_ends_with_the_last_tab(server: ScriptedServer, tabs: OpenTab) -> None:
    """Stopping one tab leaves the others connected; after the last one the server has no connection."""
    one, other = await tabs(), await tabs()
    await one.live()
    await other.live()
    await one.run("live.stop()")
    await server.connected(2)
    await other.live()
    await server.publish(6, "six")
    await other.receives("six")
    await one.receives()
    await other.run("live.stop()")
    await eventually(lambda: server.open == [])


async def test_two_tabs_subscribe_to_the_same_photo(server: ScriptedServer, tabs: OpenTab) -> None:
    """Two tabs with the same channel have one subscription, which lasts until both have left it."""
    one, other = [await (await tabs()).live() for _ in range(2)]
    for tab in (one, other):
        await tab.subscribe("photo:1")
    await other.subscribe("photo:2")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await server.publish(0, "liked", channel="photo:1")
    await server.publish(0, "seen", channel="photo:2")
    await one.receives("liked")
    await other.receives("liked", "seen")
    await one.unsubscribe("photo:1")
    await other.unsubscribe("photo:2")
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:2"}])
    await other.unsubscribe("photo:1")
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:2"}, {"channel": "photo:1"}])
    assert sorted(item["channel"] for item in server.sent("subscribe")) == ["photo:1", "photo:2"]


async def test_the_subscriptions_of_a_closed_tab_end(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """The subscriptions of a closed tab end, except those of another tab."""
    one, other = [await (await tabs()).live() for _ in range(2)]
    await one.subscribe("photo:1")
    for channel in ("photo:1", "photo:2"):
        await other.subscribe(channel)
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await context.pages[1].close()
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:2"}])
    await server.publish(0, "liked", channel="photo:1")
    await one.receives("liked")


async def test_a_refusal_reaches_every_subscriber(server: ScriptedServer, tabs: OpenTab) -> None:
    """If the server refuses a channel, every tab with this channel is notified, and none subscribes again."""
    server.refuse["photo:1"] = {"code": 103, "message": "permission denied"}
    one, other = await tabs(), await tabs()
    await other.subscribe("photo:1")
    await other.receives("photo:1 failed 103")
    server.refuse.clear()
    await one.subscribe("photo:1")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await server.send({"push": {"channel": "photo:1", "unsubscribe": {"code": 2000, "reason": "gone"}}})
    await one.receives("photo:1 failed 2000")
    await other.receives("photo:1 failed 103")


async def test_a_leader_subscribes_once_and_notifies_the_right_tabs(server: ScriptedServer, page: Page) -> None:
    """A tab that repeats its channels is notified once; a refused channel is retried only for a new subscriber."""
    await page.goto(server.url)
    server.refuse["photo:2"] = {"code": 103, "message": "permission denied"}
    await page.evaluate(LEADER)

    async def sync(tab: str, *channels: tuple[str, int]) -> None:
        message = {"type": "sync", "from": tab, "channels": channels, "positions": {}}
        await page.evaluate("(message) => leader.receive(message)", message)

    async def posted(*expected: str) -> None:
        async def agrees() -> bool:
            found = await page.evaluate("() => posted")
            assert found == list(expected), found
            return True

        await eventually(agrees)

    await sync("one", ("photo:1", 1))
    await posted("subscribed photo:1 to one")
    await sync("one", ("photo:1", 1), ("photo:2", 2))
    await posted("subscribed photo:1 to one", "failed photo:2 to one")
    await sync("one", ("photo:1", 1), ("photo:2", 2))
    await sync("other", ("photo:1", 1))
    await posted("subscribed photo:1 to one", "failed photo:2 to one", "subscribed photo:1 to other")
    assert len(server.sent("subscribe")) == 2
    await sync("one", ("photo:1", 1), ("photo:2", 3))
    await eventually(lambda: len(server.sent("subscribe")) == 3)


async def test_a_lost_message_between_tabs_is_repeated(
    server: ScriptedServer, tabs: OpenTab, context: BrowserContext
) -> None:
    """A tab that has lost a message notices it with the next one, and receives both from the leader."""
    await (await tabs()).live()
    await context.add_init_script(LOSE_ONE)
    other = await (await tabs()).live()
    for offset, data in ((1, "one"), (2, "lost"), (3, "three")):
        await server.publish(offset, data)
    await other.receives("one", "lost", "three")


async def test_state_and_gaps_reach_every_tab(server: ScriptedServer, tabs: OpenTab) -> None:
    """Every tab has the state of the connection and its gaps, and can reconnect it."""
    server.results = [stream(5), stream(2, epoch="f", recovered=False)]
    one, other = await tabs(), await tabs()
    for tab in (one, other):
        await tab.live()
    await server.close(3503, "force disconnect")
    for tab in (one, other):
        await tab.reaches("stopped")
        assert (await tab.states())[-1]["reason"] == "force disconnect"
    await other.run("live.retryNow()")
    for tab in (one, other):
        await tab.live()
        await tab.receives("gap")
    assert server.connects == 2


async def test_a_new_tab_restores_a_stopped_connection(server: ScriptedServer, tabs: OpenTab) -> None:
    """A tab that is opened after the server has ended the connection for good connects again."""
    one = await (await tabs()).live()
    await server.close(3504, "connection limit")
    await one.reaches("stopped")
    await (await tabs()).live()
    await one.live()


async def test_users_do_not_share_a_connection(server: ScriptedServer, tabs: OpenTab) -> None:
    """Two users in one browser have a connection each, and neither receives the other's publications."""
    ada, bob = await tabs("ada"), await tabs("bob")
    for tab in (ada, bob):
        await tab.live()
    assert server.connects == 2
    first, second = server.open
    await first.send_json({"push": {"channel": "feed", "pub": {"offset": 1, "data": "for ada"}}})
    await ada.subscribe("photo:1")
    await eventually(lambda: len(server.sent("subscribe")) == 1)
    await first.send_json({"push": {"channel": "photo:1", "pub": {"data": "ada's photo"}}})
    await bob.subscribe("photo:1")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await second.send_json({"push": {"channel": "feed", "pub": {"offset": 1, "data": "for bob"}}})
    await ada.receives("for ada", "ada's photo")
    await bob.receives("for bob")


async def test_the_next_user_starts_without_positions(server: ScriptedServer, tabs: OpenTab) -> None:
    """A client that is started for another user recovers and receives nothing of the former user."""
    await server.publish(5, "five")
    one, other = await tabs("ada"), await tabs("ada")
    for tab in (one, other):
        await tab.live()
    await one.run("live.stop(); live.start({ user: 'bob' })")
    await server.connected(3)  # the other tab has taken ada's over
    for tab in (one, other):
        await tab.live()
    recovered = [bool(item["subs"]) for item in server.sent("connect")]
    assert sorted(recovered) == [False, False, True]
    adas = recovered.index(True) - 1  # the first connection is closed
    await server.open[adas].send_json({"push": {"channel": "feed", "pub": {"offset": 6, "data": "for ada"}}})
    await other.receives("for ada")
    await server.open[1 - adas].send_json({"push": {"channel": "feed", "pub": {"offset": 7, "data": "for bob"}}})
    await one.receives("for bob")
    await other.receives("for ada")


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
    """If the browser lacks or denies locks or broadcast channels, every tab has a connection of its own."""
    await context.add_init_script(lacking)
    one, other = await tabs(), await tabs()
    for tab in (one, other):
        await tab.live()
        await tab.subscribe("photo:1")
    assert server.connects == 2
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    await server.publish(6, "six")
    for tab in (one, other):
        await tab.receives("six")
