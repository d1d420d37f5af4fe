"""The browser's live client against a server that does as it is told."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.live_tab import LiveTab
from tests.browser.scripted_server import ScriptedServer, publication, stream
from tests.support.eventually import eventually


async def test_a_reconnect_asks_for_what_was_missed(server: ScriptedServer, tab: LiveTab) -> None:
    """After an interruption the client names the last offset it has, and delivers what it missed, once."""
    missed = [{"offset": 8, "data": "eight"}, {"offset": 9, "data": "nine"}]
    server.results = [stream(5), stream(9, recovered=True, was_recovering=True, publications=missed)]
    await (await tab.open()).live()
    await server.send(publication(6, "six"), publication(7, "seven"))
    await tab.hears("six", "seven")
    await server.close(3001, "shutdown")
    await server.connected(2)
    assert server.sent("connect")[1]["subs"] == {"feed": {"recover": True, "epoch": "e", "offset": 7}}
    await tab.hears("six", "seven", "eight", "nine")
    await server.send(publication(9, "nine again"), publication(10, "ten"))
    await tab.hears("six", "seven", "eight", "nine", "ten")


async def test_what_cannot_be_told_is_a_gap(server: ScriptedServer, tab: LiveTab) -> None:
    """When the server cannot tell what was missed the reader hears of a gap, and goes on from the new position."""
    server.results = [stream(5), stream(2, epoch="f", recovered=False)]
    await (await tab.open()).live()
    await server.close(3010, "insufficient state")
    await server.connected(2)
    await tab.hears("gap")
    await server.publish(3, "three")
    await tab.hears("gap", "three")
    await server.close(3004)
    await server.connected(3)
    assert server.sent("connect")[2]["subs"]["feed"] == {"recover": True, "epoch": "f", "offset": 3}


async def test_the_first_connect_asks_for_nothing(server: ScriptedServer, tab: LiveTab) -> None:
    """A client without a position recovers nothing and reports no gap; each connection has a ticket of its own."""
    server.results = [stream(5)]
    await (await tab.open()).live()
    await server.publish(6, "six")
    await tab.hears("six")
    assert server.sent("connect")[0]["subs"] == {}
    await server.close(3001)
    await server.connected(2)
    assert [item["token"] for item in server.sent("connect")] == ["ticket 1", "ticket 2"]


@pytest.mark.parametrize(
    ("fetched", "told"),
    [
        ({"epoch": "e", "offset": 4}, ["gap"]),
        ({"epoch": "d", "offset": 5}, ["gap"]),
        ({"epoch": "e", "offset": 5}, []),
        ({"epoch": "e", "offset": 7}, []),
        (None, []),
    ],
)
@pytest.mark.parametrize("later", [False, True])
async def test_what_was_fetched_joins_the_stream(
    server: ScriptedServer, tab: LiveTab, fetched: object, told: list[str], *, later: bool
) -> None:
    """What was published between a fetch and the connection is a gap, in whichever order the two become known."""
    server.results = [stream(5)]
    await (await tab.open(fetched=None if later else fetched)).live()
    if later:
        await tab.page.evaluate("(fetched) => live.fetched('feed', fetched)", fetched)
    await server.publish(8, "eight")
    await tab.hears(*told, "eight")


@pytest.mark.parametrize("code", [3501, 3503, 3504, 4500])
async def test_a_final_close_is_obeyed(server: ScriptedServer, tab: LiveTab, code: int) -> None:
    """Codes 3500–3999 and 4500–4999 end it, until the person asks to connect again."""
    await (await tab.open()).live()
    await server.close(code, "force disconnect")
    await tab.says("stopped")
    assert server.connects == 1
    await tab.run("live.retryNow()")
    await server.connected(2)


@pytest.mark.parametrize("code", [1000, 3000, 3012, 4000])
async def test_every_other_close_is_an_interruption(server: ScriptedServer, tab: LiveTab, code: int) -> None:
    """All other codes bring the client back by itself."""
    await (await tab.open()).live()
    await server.close(code, "shutdown")
    await server.connected(2)
    await tab.live()


@pytest.mark.parametrize(("code", "state"), [(3503, "stopped"), (3001, "live")])
async def test_a_disconnect_push_is_like_a_close(server: ScriptedServer, tab: LiveTab, code: int, state: str) -> None:
    """A server that says goodbye in a message is obeyed like one that closes with the same code."""
    await (await tab.open()).live()
    await server.send({"push": {"disconnect": {"code": code, "reason": "because"}}})
    await eventually(lambda: server.open == [] or server.connects == 2)
    await tab.says(state)


async def test_an_ended_session_stops_the_client(server: ScriptedServer, tab: LiveTab) -> None:
    """When tickets are refused with 401 the session is over, and the client does not try again."""
    await (await tab.open()).live()
    server.ticket_status = 401
    await server.close(3500, "invalid token")
    await tab.says("stopped")
    assert server.tickets == 2
    assert (await tab.states())[-1]["reason"] == "signed out"


async def test_a_stale_ticket_is_replaced(server: ScriptedServer, tab: LiveTab) -> None:
    """A token that the server does not take may have run out on its way; three times in a row it has not."""
    await (await tab.open()).live()
    for connects in (2, 3, 4):
        await server.close(3500, "invalid token")
        await server.connected(connects)
        await tab.live()
    await server.close(3500, "invalid token")
    await tab.says("stopped")


async def test_stopping_in_the_middle_is_no_complaint(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """A client that is stopped while its socket is being opened leaves no connection, and nothing on the console."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await tab.open()
    await page.evaluate(
        """() => {
            const { WebSocket } = window;
            window.WebSocket = class extends WebSocket {
                constructor(url) { super(url); queueMicrotask(() => live.stop()); }
            };
            window.WebSocket.CONNECTING = WebSocket.CONNECTING;
            live.stop();
            live.start();
        }"""
    )
    await eventually(lambda: server.tickets == 2)
    await tab.says("stopped")
    await eventually(lambda: server.open == [])
    assert [text for text in complaints if "WebSocket" in text] == []


async def test_stop_forgets(server: ScriptedServer, tab: LiveTab) -> None:
    """After `stop` nothing is connected, and the next start asks for nothing of what was before."""
    server.results = [stream(5)]
    await (await tab.open()).live()
    await tab.run("live.stop()")
    await tab.says("stopped")
    await eventually(lambda: server.open == [])
    await tab.run("live.start()")
    await server.connected(2)
    assert server.sent("connect")[1]["subs"] == {}


async def test_pings_are_answered(server: ScriptedServer, tab: LiveTab) -> None:
    """An empty message is a ping, and the client answers with one."""
    await (await tab.open()).live()
    await server.send({})
    await eventually(lambda: {} in server.commands)


async def test_a_silent_server_is_left(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """Without a ping for its interval and ten seconds more, the client takes the connection for dead."""
    await page.clock.install()
    await (await tab.open()).live()
    await page.clock.run_for(34_000)
    assert await tab.state() == "live"
    await page.clock.run_for(2_000)
    await page.clock.run_for(1_000)
    await server.connected(2)


async def test_an_attempt_that_leads_nowhere_is_given_up(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """A server that takes connections and answers nothing is tried again after ten seconds."""
    await page.clock.install()
    server.mute = True
    await tab.open()
    await eventually(lambda: len(server.open) == 1)
    await page.clock.run_for(9_900)
    assert await tab.state() == "connecting"
    server.mute = False
    await page.clock.run_for(200)
    await page.clock.run_for(600)
    await tab.live()


async def test_an_expired_ticket_is_replaced(server: ScriptedServer, tab: LiveTab) -> None:
    """Error 109 at connect is tried again with a fresh ticket."""
    server.refuse["connect"] = {"code": 109, "message": "token expired"}
    await tab.open()
    await eventually(lambda: len(server.sent("connect")) >= 2, within=10)
    server.refuse.clear()
    await tab.live()


async def test_the_session_is_renewed_before_it_ends(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """Twenty seconds before a connection's token ends the client hands in a fresh one, and so on."""
    await page.clock.install()
    server.results = [{"expires": True, "ttl": 900}]
    await (await tab.open()).live()
    for passed in range(20_000, 880_001, 20_000):  # the server pings, as it must
        await server.send({})
        await eventually(lambda passed=passed: server.commands.count({}) == passed // 20_000)  # type: ignore[misc]
        assert server.sent("refresh") == []
        await page.clock.run_for(20_000)
    await eventually(lambda: server.sent("refresh") == [{"token": "ticket 2"}])
    assert server.connects == 1


async def test_channels_come_back_after_an_interruption(server: ScriptedServer, tab: LiveTab) -> None:
    """A channel that a page wants is subscribed again after a reconnect, and the page is told to look anew."""
    await (await tab.open()).live()
    await tab.read("photo:1")
    await tab.run("window.other = live.subscribe('photo:1', {})")
    await eventually(lambda: server.sent("subscribe") == [{"channel": "photo:1"}])
    await server.publish(0, "liked", channel="photo:1")
    await tab.hears("liked")
    await server.close(3001)
    await server.connected(2)
    await tab.hears("liked", "photo:1 resumed")
    await tab.end("photo:1")
    await tab.run("other()")
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:1"}])


async def test_who_had_to_wait_for_a_channel_looks_anew(server: ScriptedServer, tab: LiveTab) -> None:
    """A reader that came while there was no connection is told that it may have missed something."""
    server.mute = True
    await tab.open()
    await tab.read("photo:1")
    server.mute = False
    await server.close(3001)
    await tab.hears("photo:1 resumed")


async def test_who_was_cut_short_looks_anew(server: ScriptedServer, tab: LiveTab) -> None:
    """A reader whose subscription was not answered before an interruption is told to look anew, too."""
    await (await tab.open()).live()
    server.mute = True
    await tab.read("photo:1")
    server.mute = False
    await server.close(3001)
    await tab.hears("photo:1 resumed")


async def test_a_refused_channel_is_not_asked_for_again(server: ScriptedServer, tab: LiveTab) -> None:
    """A channel that the server denies is reported to its reader and left alone, until somebody asks anew."""
    server.refuse["photo:2"] = {"code": 103, "message": "permission denied"}
    await (await tab.open()).live()
    await tab.read("photo:2")
    await tab.hears("photo:2 failed 103")
    await server.close(3001)
    await server.connected(2)
    await tab.read("photo:3")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    assert [item["channel"] for item in server.sent("subscribe")] == ["photo:2", "photo:3"]
    server.refuse.clear()
    await tab.read("photo:2")
    await eventually(lambda: len(server.sent("subscribe")) == 3)


async def test_a_channel_may_be_subscribed_already(server: ScriptedServer, tab: LiveTab) -> None:
    """A server that says so (error 105) is taken at its word."""
    server.refuse["photo:1"] = {"code": 105, "message": "already subscribed"}
    await (await tab.open()).live()
    await tab.read("photo:1")
    await eventually(lambda: server.sent("subscribe") == [{"channel": "photo:1"}])
    await server.publish(0, "liked", channel="photo:1")
    await server.close(3001)
    await tab.hears("liked", "photo:1 resumed")


@pytest.mark.parametrize(("code", "heard"), [(2000, "photo:1 failed 2000"), (2500, "photo:1 resumed")])
async def test_an_ended_subscription(server: ScriptedServer, tab: LiveTab, code: int, heard: str) -> None:
    """One that the server ends for good is over; from code 2500 on it is made again, and its reader looks anew."""
    await (await tab.open()).live()
    await tab.read("photo:1")
    await eventually(lambda: server.sent("subscribe") != [])
    await server.send({"push": {"channel": "photo:1", "unsubscribe": {"code": code, "reason": "because"}}})
    await tab.hears(heard)


async def test_a_frame_is_heard_in_its_order(server: ScriptedServer, tab: LiveTab) -> None:
    """A publication in the same frame as the reply to connect comes after it, and moves the position on."""
    server.mute = True
    await tab.open()
    await eventually(lambda: len(server.open) == 1)
    await server.send({"id": 1, "connect": {"ping": 25, **stream(5)}}, publication(6, "six"))
    await tab.hears("six")
    server.mute = False
    await server.close(3001)
    await server.connected(1)
    assert server.sent("connect")[-1]["subs"]["feed"]["offset"] == 6
