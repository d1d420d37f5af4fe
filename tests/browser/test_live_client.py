"""The browser's live client against a scripted server."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.live_tab import LiveTab
from tests.browser.scripted_server import ScriptedServer, publication, stream
from tests.support.eventually import eventually


async def test_a_reconnect_recovers_what_was_missed(server: ScriptedServer, tab: LiveTab) -> None:
    """After an interruption the client sends its last offset, and delivers each missed publication once."""
    missed = [{"offset": 8, "data": "eight"}, {"offset": 9, "data": "nine"}]
    server.results = [stream(5), stream(9, recovered=True, was_recovering=True, publications=missed)]
    await (await tab.open()).live()
    await server.send(publication(6, "six"), publication(7, "seven"))
    await tab.receives("six", "seven")
    await server.close(3001, "shutdown")
    await server.connected(2)
    assert server.sent("connect")[1]["subs"] == {"feed": {"recover": True, "epoch": "e", "offset": 7}}
    await tab.receives("six", "seven", "eight", "nine")
    await server.send(publication(9, "nine again"), publication(10, "ten"))
    await tab.receives("six", "seven", "eight", "nine", "ten")


async def test_a_failed_recovery_is_a_gap(server: ScriptedServer, tab: LiveTab) -> None:
    """If the server cannot recover a stream, a gap is reported, and the client continues from the new position."""
    server.results = [stream(5), stream(2, epoch="f", recovered=False)]
    await (await tab.open()).live()
    await server.close(3010, "insufficient state")
    await server.connected(2)
    await tab.receives("gap")
    await server.publish(3, "three")
    await tab.receives("gap", "three")
    await server.close(3004)
    await server.connected(3)
    assert server.sent("connect")[2]["subs"]["feed"] == {"recover": True, "epoch": "f", "offset": 3}


async def test_the_first_connect_recovers_nothing(server: ScriptedServer, tab: LiveTab) -> None:
    """A client without a position recovers nothing and reports no gap; every connection uses a new ticket."""
    server.results = [stream(5)]
    await (await tab.open()).live()
    await server.publish(6, "six")
    await tab.receives("six")
    assert server.sent("connect")[0]["subs"] == {}
    await server.close(3001)
    await server.connected(2)
    assert [item["token"] for item in server.sent("connect")] == ["ticket 1", "ticket 2"]


@pytest.mark.parametrize(
    ("fetched", "expected"),
    [
        ({"epoch": "e", "offset": 4}, ["gap"]),
        ({"epoch": "d", "offset": 5}, ["gap"]),
        ({"epoch": "e", "offset": 5}, []),
        ({"epoch": "e", "offset": 7}, []),
        (None, []),
    ],
)
@pytest.mark.parametrize("later", [False, True])
async def test_a_publication_between_fetch_and_connect_is_a_gap(
    server: ScriptedServer, tab: LiveTab, fetched: object, expected: list[str], *, later: bool
) -> None:
    """What was published between a fetch and the connection is a gap, whichever position is known first."""
    server.results = [stream(5)]
    await (await tab.open(fetched=None if later else fetched)).live()
    if later:
        await tab.page.evaluate("(fetched) => live.fetched('feed', fetched)", fetched)
    await server.publish(8, "eight")
    await tab.receives(*expected, "eight")


@pytest.mark.parametrize("code", [3501, 3503, 3504, 4500])
async def test_a_final_close_code_stops_the_client(server: ScriptedServer, tab: LiveTab, code: int) -> None:
    """Codes 3500–3999 and 4500–4999 stop the client until `retryNow`."""
    await (await tab.open()).live()
    await server.close(code, "force disconnect")
    await tab.reaches("stopped")
    assert server.connects == 1
    await tab.run("live.retryNow()")
    await server.connected(2)


@pytest.mark.parametrize("code", [1000, 3000, 3012, 4000])
async def test_every_other_close_is_an_interruption(server: ScriptedServer, tab: LiveTab, code: int) -> None:
    """After any other code the client reconnects by itself."""
    await (await tab.open()).live()
    await server.close(code, "shutdown")
    await server.connected(2)
    await tab.live()


@pytest.mark.parametrize(("code", "state"), [(3503, "stopped"), (3001, "live")])
async def test_a_disconnect_push_is_like_a_close(server: ScriptedServer, tab: LiveTab, code: int, state: str) -> None:
    """A disconnect push has the effect of a close with the same code."""
    await (await tab.open()).live()
    await server.send({"push": {"disconnect": {"code": code, "reason": "because"}}})
    await eventually(lambda: server.open == [] or server.connects == 2)
    await tab.reaches(state)


async def test_an_ended_session_stops_the_client(server: ScriptedServer, tab: LiveTab) -> None:
    """If a ticket is refused with 401 the session is over, and the client does not try again."""
    await (await tab.open()).live()
    server.ticket_status = 401
    await server.close(3500, "invalid token")
    await tab.reaches("stopped")
    assert server.tickets == 2
    assert (await tab.states())[-1]["reason"] == "signed out"


async def test_a_stale_ticket_is_replaced(server: ScriptedServer, tab: LiveTab) -> None:
    """A refused token is replaced, as it may have expired on its way, but only three times in a row."""
    await (await tab.open()).live()
    for connects in (2, 3, 4):
        await server.close(3500, "invalid token")
        await server.connected(connects)
        await tab.live()
    await server.close(3500, "invalid token")
    await tab.reaches("stopped")


async def test_stopping_while_connecting_logs_no_error(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """A client that is stopped while its socket connects leaves no connection and logs nothing to the console."""
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
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
    await tab.reaches("stopped")
    await eventually(lambda: server.open == [])
    assert [text for text in logged if "WebSocket" in text] == []


async def test_stop_forgets_positions(server: ScriptedServer, tab: LiveTab) -> None:
    """After `stop` there is no connection, and the next start recovers nothing."""
    server.results = [stream(5)]
    await (await tab.open()).live()
    await tab.run("live.stop()")
    await tab.reaches("stopped")
    await eventually(lambda: server.open == [])
    await tab.run("live.start()")
    await server.connected(2)
    assert server.sent("connect")[1]["subs"] == {}


async def test_pings_are_answered(server: ScriptedServer, tab: LiveTab) -> None:
    """The client answers a ping, an empty message, with the same."""
    await (await tab.open()).live()
    await server.send({})
    await eventually(lambda: {} in server.commands)


async def test_a_silent_connection_is_replaced(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """If a ping is ten seconds late, the client considers the connection dead."""
    await page.clock.install()
    await (await tab.open()).live()
    await page.clock.run_for(34_000)
    assert await tab.state() == "live"
    await page.clock.run_for(2_000)
    await page.clock.run_for(1_000)
    await server.connected(2)


async def test_an_attempt_without_an_answer_times_out(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """If the server accepts the connection but does not answer, the client tries again after ten seconds."""
    await page.clock.install()
    server.mute = True
    await tab.open()
    await eventually(lambda: len(server.open) == 1)
    await page.clock.run_for(7_000)  # real time passes as well, on a busy machine perhaps a second or two
    assert await tab.state() == "connecting"
    server.mute = False
    await page.clock.run_for(3_100)
    await page.clock.run_for(600)
    await tab.live()


async def test_an_expired_ticket_is_replaced(server: ScriptedServer, tab: LiveTab) -> None:
    """After error 109 at connect the client tries again with a new ticket."""
    server.refuse["connect"] = {"code": 109, "message": "token expired"}
    await tab.open()
    await eventually(lambda: len(server.sent("connect")) >= 2)
    server.refuse.clear()
    await tab.live()


async def test_the_session_is_renewed_before_it_ends(server: ScriptedServer, tab: LiveTab, page: Page) -> None:
    """Twenty seconds before a connection's token expires the client sends a new one."""
    await page.clock.install()
    server.results = [{"expires": True, "ttl": 900}]
    await (await tab.open()).live()
    for passed in range(20_000, 880_001, 20_000):  # the server pings, as it has to
        await server.send({})
        await eventually(lambda passed=passed: server.commands.count({}) == passed // 20_000)  # type: ignore[misc]
        assert server.sent("refresh") == []
        await page.clock.run_for(20_000)
    await eventually(lambda: server.sent("refresh") == [{"token": "ticket 2"}])
    assert server.connects == 1


async def test_channels_are_subscribed_again_after_an_interruption(server: ScriptedServer, tab: LiveTab) -> None:
    """A page's channel is subscribed again after a reconnect, and its subscribers' `resumed` is called."""
    await (await tab.open()).live()
    await tab.subscribe("photo:1")
    await tab.run("window.other = live.subscribe('photo:1', {})")
    await eventually(lambda: server.sent("subscribe") == [{"channel": "photo:1"}])
    await server.publish(0, "liked", channel="photo:1")
    await tab.receives("liked")
    await server.close(3001)
    await server.connected(2)
    await tab.receives("liked", "photo:1 resumed")
    await tab.unsubscribe("photo:1")
    await tab.run("other()")
    await eventually(lambda: server.sent("unsubscribe") == [{"channel": "photo:1"}])


async def test_a_subscription_made_without_a_connection_is_resumed(server: ScriptedServer, tab: LiveTab) -> None:
    """A subscriber that was added while there was no connection may have missed something."""
    server.mute = True
    await tab.open()
    await tab.subscribe("photo:1")
    server.mute = False
    await server.close(3001)
    await tab.receives("photo:1 resumed")


async def test_an_interrupted_subscribe_is_resumed(server: ScriptedServer, tab: LiveTab) -> None:
    """A subscriber whose subscribe command was not answered before an interruption may have missed something."""
    await (await tab.open()).live()
    server.mute = True
    await tab.subscribe("photo:1")
    server.mute = False
    await server.close(3001)
    await tab.receives("photo:1 resumed")


async def test_a_refused_channel_is_not_retried(server: ScriptedServer, tab: LiveTab) -> None:
    """A refused channel is reported to its subscriber, and is subscribed only for a new subscriber."""
    server.refuse["photo:2"] = {"code": 103, "message": "permission denied"}
    await (await tab.open()).live()
    await tab.subscribe("photo:2")
    await tab.receives("photo:2 failed 103")
    await server.close(3001)
    await server.connected(2)
    await tab.subscribe("photo:3")
    await eventually(lambda: len(server.sent("subscribe")) == 2)
    assert [item["channel"] for item in server.sent("subscribe")] == ["photo:2", "photo:3"]
    server.refuse.clear()
    await tab.subscribe("photo:2")
    await eventually(lambda: len(server.sent("subscribe")) == 3)


async def test_a_channel_may_be_subscribed_already(server: ScriptedServer, tab: LiveTab) -> None:
    """Error 105, already subscribed, counts as success."""
    server.refuse["photo:1"] = {"code": 105, "message": "already subscribed"}
    await (await tab.open()).live()
    await tab.subscribe("photo:1")
    await eventually(lambda: server.sent("subscribe") == [{"channel": "photo:1"}])
    await server.publish(0, "liked", channel="photo:1")
    await server.close(3001)
    await tab.receives("liked", "photo:1 resumed")


@pytest.mark.parametrize(("code", "expected"), [(2000, "photo:1 failed 2000"), (2500, "photo:1 resumed")])
async def test_an_ended_subscription(server: ScriptedServer, tab: LiveTab, code: int, expected: str) -> None:
    """An unsubscribe push below code 2500 is final; from there on the client subscribes again."""
    await (await tab.open()).live()
    await tab.subscribe("photo:1")
    await eventually(lambda: server.sent("subscribe") != [])
    await server.send({"push": {"channel": "photo:1", "unsubscribe": {"code": code, "reason": "because"}}})
    await tab.receives(expected)


async def test_the_messages_of_a_frame_keep_their_order(server: ScriptedServer, tab: LiveTab) -> None:
    """A publication in the same frame as the reply to connect is delivered after it, and moves the position."""
    server.mute = True
    await tab.open()
    await eventually(lambda: len(server.open) == 1)
    await server.send({"id": 1, "connect": {"ping": 25, **stream(5)}}, publication(6, "six"))
    await tab.receives("six")
    server.mute = False
    await server.close(3001)
    await server.connected(1)
    assert server.sent("connect")[-1]["subs"]["feed"]["offset"] == 6
