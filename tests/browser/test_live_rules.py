"""The rules of the live client that need no connection: waits, close codes, frames, positions in a stream."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.modules import call

AT_5 = {"epoch": "e", "offset": 5}
NOTHING = {"heard": [], "gap": False, "behind": False}


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(0, 500), (1, 1000), (2, 2000), (3, 4000), (5, 16_000), (6, 20_000), (10_000, 20_000)]
)
async def test_waits_grow_and_are_spread(module_page: Page, attempt: int, ceiling: int) -> None:
    """The wait before an attempt is uniform between 0 and min(20 s, 0.5 s · 2^attempt)."""
    waits = await call(module_page, "live/protocol", "[0, 0.25, 1].map((r) => m.backoff(a, () => r))", attempt)
    assert waits == [0, ceiling / 4, ceiling]


async def test_waits_are_drawn_anew(module_page: Page) -> None:
    """Clients that were cut off together do not come back together: a thousand first waits fill the half second."""
    waits = await call(module_page, "live/protocol", "Array.from({ length: 1000 }, () => m.backoff(0))")
    tenths = [sum(1 for wait in waits if tenth * 50 <= wait < (tenth + 1) * 50) for tenth in range(10)]
    assert sum(tenths) == 1000
    assert min(tenths) > 50  # 100 are expected, with a deviation of 9.5


@pytest.mark.parametrize(
    ("code", "again"),
    [
        *((code, True) for code in (1000, 1006, 3000, 3499, 4000, 4499)),
        *((code, False) for code in (3500, 3999, 4500, 4999)),
    ],
)
async def test_close_codes_say_whether_to_come_back(module_page: Page, code: int, again: bool) -> None:
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
async def test_errors_say_whether_to_try_again(module_page: Page, error: object, again: bool) -> None:
    """Temporary errors, an expired token, and errors that are malformed are tried again; all others are final."""
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
    """A frame is one object a line; anything else is an error."""
    decode = "(() => { try { return m.decodeFrame(a); } catch (error) { return error.name; } })()"
    assert await call(module_page, "live/protocol", decode, frame) == messages


@pytest.mark.parametrize(
    ("ttl", "in_ms"), [(900, 880_000), (60, 48_000), (1, 1000), (0, 1000), (-5, 1000), (None, None), ("soon", None)]
)
async def test_tokens_are_renewed_before_their_end(module_page: Page, ttl: object, in_ms: int | None) -> None:
    """A token is renewed 20 s before its end, or after four fifths of a short life, and at most once a second."""
    assert await call(module_page, "live/protocol", "m.renewIn(a)", ttl) == in_ms


def step(start: int, end: int, *offsets: int, epoch: str | None = "e", gap: bool = False) -> dict[str, Any]:
    """Return a step of a stream."""
    publications = [{"offset": offset, "data": offset} for offset in offsets]
    return {"epoch": epoch, "from": start, "to": end, "publications": publications, "gap": gap}


@pytest.mark.parametrize(
    ("position", "taken", "outcome", "then"),
    [
        # Whoever knows nothing begins where the step ends; nothing can be missed.
        (None, step(5, 7, 6, 7), NOTHING | {"heard": [6, 7]}, 7),
        (None, step(5, 7, gap=True), NOTHING, 7),
        # The next step, one that was heard before, and one that overlaps.
        (AT_5, step(5, 7, 6, 7), NOTHING | {"heard": [6, 7]}, 7),
        (AT_5, step(3, 5, 4, 5), NOTHING, 5),
        (AT_5, step(3, 7, 4, 5, 6, 7), NOTHING | {"heard": [6, 7]}, 7),
        (AT_5, step(5, 8), NOTHING, 8),
        # A hole: nothing is taken, so that whoever tells what lies between tells all.
        (AT_5, step(6, 7, 7), NOTHING | {"behind": True}, 5),
        # What cannot be told: another epoch, or a gap; a gap is heard once.
        (AT_5, step(1, 2, 2, epoch="f"), NOTHING | {"gap": True}, 2),
        (AT_5, step(5, 9, gap=True), NOTHING | {"gap": True}, 9),
        (AT_5, step(3, 5, gap=True), NOTHING, 5),
        # A stream that nothing was published in yet.
        (None, step(0, 0), NOTHING, 0),
        # A publication without a position.
        (AT_5, step(0, 0, 0, epoch=None), NOTHING | {"heard": [0]}, 5),
    ],
)
async def test_steps_are_taken_once_and_in_order(
    module_page: Page, position: object, taken: object, outcome: object, then: int
) -> None:
    """From any position a step gives what is new there, or shows that something is missing, and moves on."""
    expression = """(() => {
        const position = new m.Position();
        if (a.position) position.move(a.position);
        const { publications, ...rest } = position.take(a.taken);
        const then = position.known ? position.offset : null;
        return [{ heard: publications.map(({ data }) => data), ...rest }, then];
    })()"""
    argument = {"position": position, "taken": taken}
    assert await call(module_page, "live/position", expression, argument) == [outcome, then]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"recoverable": True, "epoch": "e", "offset": 7, "recovered": True}, step(5, 7)),
        ({"positioned": True, "epoch": "f", "offset": 2, "recovered": False}, step(5, 2, epoch="f", gap=True)),
        ({"recoverable": True, "recovered": True, "publications": 5}, step(5, 0, epoch="")),
        ({"recoverable": True, "recovered": True, "publications": [None, "x"]}, step(5, 0, epoch="")),
        ({}, None),
        (None, None),
        ("recovered", None),
    ],
)
async def test_answers_are_steps(module_page: Page, answer: object, wanted: object) -> None:
    """The server's answer to what was asked is a step from there; a malformed one does no harm."""
    expression = """(() => {
        const position = new m.Position();
        position.move({ epoch: "e", offset: 5 });
        return position.resume(a);
    })()"""
    assert await call(module_page, "live/position", expression, answer) == wanted


async def test_a_late_alarm_can_be_asked(module_page: Page) -> None:
    """An alarm whose timer is late rings when it is nudged, once; one that is not due does not."""
    expression = """(() => {
        const rung = [];
        const [due, later] = [new m.Alarm(), new m.Alarm()];
        due.set(0, () => rung.push("due"));
        later.set(60_000, () => rung.push("later"));
        for (const alarm of [due, due, later]) alarm.nudge();
        later.clear();
        return rung;
    })()"""
    assert await call(module_page, "live/alarm", expression) == ["due"]


async def test_what_a_tab_missed_is_told_by_another(module_page: Page) -> None:
    """Another tab tells exactly what was missed, while it remembers, and otherwise that it cannot be told."""
    expression = """(() => {
        const streams = new m.Streams();
        streams.take("feed", { epoch: "e", from: 100, to: 100, publications: [], gap: false });
        for (let to = 101; to <= 170; to++) {
            const publications = [{ offset: to, data: to }];
            streams.take("feed", { epoch: "e", from: to - 1, to, publications, gap: false });
        }
        return a.map((position) => streams.catchUp("feed", position));
    })()"""
    asked = [{"epoch": "e", "offset": offset} for offset in (170, 168, 106, 105)] + [{"epoch": "f", "offset": 169}]
    answers = await call(module_page, "live/streams", expression, asked)
    assert answers == [
        None,
        step(168, 170, 169, 170),
        step(106, 170, *range(107, 171)),  # the newest 64 are kept
        step(105, 170, gap=True),
        step(169, 170, gap=True),
    ]
