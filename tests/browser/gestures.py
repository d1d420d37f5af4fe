"""Double clicks and double taps as quick as those of a user, also on a busy machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from playwright.async_api import CDPSession, Locator
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.visitor import Visitor

_TRIES = 5
_STEP = 0.02  # seconds between two events, by their own time


async def double_click(visitor: Visitor, locator: Locator) -> None:
    """Click twice in the middle of an element, within 60 milliseconds of the events' own time.

    Playwright sends each event when the browser has handled the one before, and a busy browser takes longer than two
    clicks may be apart.
    """
    await locator.click(trial=True)
    box = await locator.bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "button": "left"}
    session = await visitor.context.new_cdp_session(visitor.page)
    kinds = ("mousePressed", "mouseReleased")
    events = [{"type": kind, "clickCount": count, **place} for count in (1, 2) for kind in kinds]
    await _send(session, "Input.dispatchMouseEvent", events)
    await session.detach()


async def touch(session: CDPSession, *path: list[tuple[float, float]]) -> None:
    """Put fingers on the screen, move them along a path of their places, and lift them.

    No event waits for the one before: by the browser's clock a finger that rests for half a second is a long press.
    """
    events = []
    for number, places in enumerate([*path, []]):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        kind = "touchStart" if number == 0 else "touchMove" if places else "touchEnd"
        events.append({"type": kind, "touchPoints": points})
    await _send(session, "Input.dispatchTouchEvent", events)


async def double_tap(session: CDPSession, x: float, y: float, *, until: Callable[[], Awaitable[None]]) -> None:
    """Tap twice within 60 milliseconds of the events' own time, until that has an effect.

    `until` waits for it, and raises Playwright's `TimeoutError`. A browser that is busy meanwhile takes a tap for a
    long press, which has none; users tap again.
    """
    touches = [("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])] * 2
    events = [{"type": kind, "touchPoints": points} for kind, points in touches]
    for _ in range(_TRIES - 1):
        await _send(session, "Input.dispatchTouchEvent", events)
        with suppress(PlaywrightTimeoutError):
            await until()
            return
    await _send(session, "Input.dispatchTouchEvent", events)
    await until()


async def _send(session: CDPSession, method: str, events: list[dict[str, Any]]) -> None:
    """Send events at once, with times of their own; return when all have been handled."""
    now = time.time()
    timed = [{**event, "timestamp": now + number * _STEP} for number, event in enumerate(events)]
    await asyncio.gather(*(session.send(method, event) for event in timed))
