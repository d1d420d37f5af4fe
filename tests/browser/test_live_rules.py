"""The rules of the live client that need no connection: delays, close codes, frames, positions in a stream."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.modules import call

AT_5 = {"epoch": "e", "offset": 5}
NOTHING = {"received": [], "gap": False, "incomplete": False}


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(0, 500), (1, 1000), (2, 2000), (3, 4000), (5, 16_000), (6, 20_000), (10_000, 20_000)]
)
async def test_delays_grow_and_have_jitter(module_page: Page, attempt: int, ceiling: int) -> None:
    """The delay before an attempt is uniform between 0 and min(20 s, 0.5 s · 2^attempt)."""
    delays = await call(module_page, "live/protocol", "[0, 0.25, 1].map((r) => m.backoff(a, () => r))", attempt)
    assert delays == [0, ceiling / 4, ceiling]


async def test_delays_of_many_clients_are_spread(module_page: Page) -> None:
    """Clients that are disconnected together do not reconnect together: a thousand first delays fill half a second."""
    delays = await call(module_page, "live/protocol", "Array.from({ length: 1000 }, () => m.backoff(0))")
    tenths = [sum(1 for delay in delays if tenth * 50 <= delay < (tenth + 1) * 50) for tenth in range(10)]
    assert sum(tenths) == 1000
    assert min(tenths) > 50  # 100 are expected, with a deviation of 9.5


@pytest.mark.parametrize(
    ("code", "again"),
    [
        *((code, True) for code in (1000, 1006, 3000, 3499, 4000, 4499)),
        *((code, False) for code in (3500, 3999, 4500, 4999)),
    ],
)
async def test_close_codes_decide_about_reconnecting(module_page: Page, code: int, again: bool) -> None:
    """Codes from 3500 to 3999 and from 4500 to 4999 are final."""
    assert await call(module_page, "live/protocol", "m.mayReconnect(a)", code) is again


@pytest.mark.parametrize(
    ("error", "again"),
    [
        ({"code": 100, "message": "internal", "temporary": True}, True),
        ({"code": 109, "message": "token expired"}, True),
        ({"code": 103, "message": "permission denied"}, False),
        ({"code": 106, "temporary": False}, False),
        ({}, True),
        ("no object", True),
    ],
)
async def test_errors_decide_about_another_attempt(module_page: Page, error: object, again: bool) -> None:
    """Temporary errors, expired tokens and malformed errors allow another attempt; all other errors are final."""
    assert await call(module_page, "live/protocol", "m.isTemporary(a)", error) is again


@pytest.mark.parametrize(
    ("frame", "messages"),
    [
        ('{"id":1,"connect":{}}\n{}', [{"id": 1, "connect": {}}, {}]),
        ("", []),
        ("{}\n", [{}]),
        ("not JSON", "SyntaxError"),
        ('{"id":1', "SyntaxError"),
        ("5", "TypeError"),
        ("null", "TypeError"),
        ("[]", "TypeError"),
    ],
)
async def test_frames_are_lines_of_objects(module_page: Page, frame: str, messages: object) -> None:
    """A frame has one object per line; anything else is an error."""
    decode = "(() => { try { return m.decodeFrame(a); } catch (error) { return error.name; } })()"
    assert await call(module_page, "live/protocol", decode, frame) == messages


@pytest.mark.parametrize(
    ("ttl", "in_ms"), [(900, 880_000), (60, 48_000), (1, 1000), (0, 1000), (-5, 1000), (None, None), ("soon", None)]
)
async def test_tokens_are_renewed_before_they_expire(module_page: Page, ttl: object, in_ms: int | None) -> None:
    """A token is renewed 20 s before its end, or after four fifths of a short lifetime, but at most once a second."""
    assert await call(module_page, "live/protocol", "m.renewIn(a)", ttl) == in_ms


def update(start: int, end: int, *offsets: int, epoch: str | None = "e", gap: bool = False) -> dict[str, Any]:
    """Return an update of a stream."""
    publications = [{"offset": offset, "data": offset} for offset in offsets]
    return {"epoch": epoch, "from": start, "to": end, "publications": publications, "gap": gap}


@pytest.mark.parametrize(
    ("position", "applied", "outcome", "offset"),
    [
        # Without a position, the update's end is the first position, and nothing can be missed.
        (None, update(5, 7, 6, 7), NOTHING | {"received": [6, 7]}, 7),
        (None, update(5, 7, gap=True), NOTHING, 7),
        # The next update, a repeated one, and one that overlaps.
        (AT_5, update(5, 7, 6, 7), NOTHING | {"received": [6, 7]}, 7),
        (AT_5, update(3, 5, 4, 5), NOTHING, 5),
        (AT_5, update(3, 7, 4, 5, 6, 7), NOTHING | {"received": [6, 7]}, 7),
        (AT_5, update(5, 8), NOTHING, 8),
        # An update that begins later: nothing is applied, so that the missing part can follow with it.
        (AT_5, update(6, 7, 7), NOTHING | {"incomplete": True}, 5),
        # Publications that are no longer available: another epoch, or a gap; a gap is reported once.
        (AT_5, update(1, 2, 2, epoch="f"), NOTHING | {"gap": True}, 2),
        (AT_5, update(5, 9, gap=True), NOTHING | {"gap": True}, 9),
        (AT_5, update(3, 5, gap=True), NOTHING, 5),
        # A stream without publications.
        (None, update(0, 0), NOTHING, 0),
        # A publication without a position.
        (AT_5, update(0, 0, 0, epoch=None), NOTHING | {"received": [0]}, 5),
    ],
)
async def test_updates_are_applied_once_and_in_order(
    module_page: Page, position: object, applied: object, outcome: object, offset: int
) -> None:
    """From any position an update gives what is new there, or shows that something is missing, and moves it."""
    expression = """(() => {
        const position = new m.Position();
        if (a.position) position.set(a.position);
        const { publications, ...rest } = position.applyUpdate(a.applied);
        const offset = position.known ? position.offset : null;
        return [{ received: publications.map(({ data }) => data), ...rest }, offset];
    })()"""
    argument = {"position": position, "applied": applied}
    assert await call(module_page, "live/position", expression, argument) == [outcome, offset]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"recoverable": True, "epoch": "e", "offset": 7, "recovered": True}, update(5, 7)),
        ({"positioned": True, "epoch": "f", "offset": 2, "recovered": False}, update(5, 2, epoch="f", gap=True)),
        ({"recoverable": True, "recovered": True, "publications": 5}, update(5, 0, epoch="")),
        ({"recoverable": True, "recovered": True, "publications": [None, "x"]}, update(5, 0, epoch="")),
        ({}, None),
        (None, None),
        ("recovered", None),
    ],
)
async def test_replies_are_updates(module_page: Page, reply: object, expected: object) -> None:
    """The server's reply to a recovery request is an update; a malformed reply does no harm."""
    expression = """(() => {
        const position = new m.Position();
        position.set({ epoch: "e", offset: 5 });
        return position.applyReply(a);
    })()"""
    assert await call(module_page, "live/position", expression, reply) == expected


async def test_an_overdue_timer_can_be_run(module_page: Page) -> None:
    """`runIfDue` runs the callback of an overdue timer once, and no other."""
    expression = """(() => {
        const ran = [];
        const [due, later] = [new m.Timer(), new m.Timer()];
        due.set(0, () => ran.push("due"));
        later.set(60_000, () => ran.push("later"));
        for (const timer of [due, due, later]) timer.runIfDue();
        later.clear();
        return ran;
    })()"""
    assert await call(module_page, "live/timer", expression) == ["due"]


async def test_a_tab_keeps_recent_publications_for_others(module_page: Page) -> None:
    """A tab returns exactly what another one missed while its log reaches back that far, and otherwise a gap."""
    expression = """(() => {
        const streams = new m.Streams();
        streams.apply("feed", { epoch: "e", from: 100, to: 100, publications: [], gap: false });
        for (let to = 101; to <= 170; to++) {
            const publications = [{ offset: to, data: to }];
            streams.apply("feed", { epoch: "e", from: to - 1, to, publications, gap: false });
        }
        return a.map((position) => streams.updateSince("feed", position));
    })()"""
    positions = [{"epoch": "e", "offset": offset} for offset in (170, 168, 106, 105)] + [{"epoch": "f", "offset": 169}]
    updates = await call(module_page, "live/streams", expression, positions)
    assert updates == [
        None,
        update(168, 170, 169, 170),
        update(106, 170, *range(107, 171)),  # the newest 64 are kept
        update(105, 170, gap=True),
        update(169, 170, gap=True),
    ]
