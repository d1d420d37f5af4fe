"""Double clicks and double taps as quick as those of a user, also on a busy machine."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from playwright.async_api import CDPSession, Locator

from tests.browser.visitor import Visitor

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


async def double_tap(session: CDPSession, x: float, y: float) -> None:
    """Tap twice within 60 milliseconds of the events' own time.

    No event waits for the one before: by the browser's clock a touch of half a second is a long press, and no tap.
    """
    touches = [("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])] * 2
    await _send(
        session, "Input.dispatchTouchEvent", [{"type": kind, "touchPoints": points} for kind, points in touches]
    )


async def _send(session: CDPSession, method: str, events: list[dict[str, Any]]) -> None:
    """Send events at once, with times of their own; return when all have been handled."""
    now = time.time()
    timed = [{**event, "timestamp": now + number * _STEP} for number, event in enumerate(events)]
    await asyncio.gather(*(session.send(method, event) for event in timed))
