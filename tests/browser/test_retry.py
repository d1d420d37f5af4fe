"""The delays of what the page repeats, with a scripted clock."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.modules import call

# Each failure of the action is followed by one pause, which ends as `endings` says. Jitter is off.
DELAYS = """(async () => {
    const endings = [...a], delays = [];
    const { setTimeout: real, clearTimeout: clear } = window, { random } = Math;
    Math.random = () => 1;
    window.clearTimeout = () => {};
    window.setTimeout = (end, ms) => {
        delays.push(ms);
        queueMicrotask(endings[0].end === "online" ? () => dispatchEvent(new Event("online")) : end);
    };
    try {
        const action = async (progressed) => {
            if (delays.length) endings.shift();
            if (!endings.length) return "done";
            if (endings[0].progressed) progressed();
            throw Object.assign(new Error("away"), { retryAfter: endings[0].retryAfter });
        };
        const options = { isTemporary: () => true, waiting: () => {}, signal: new AbortController().signal };
        return [await m.retry(action, options), ...delays];
    } finally {
        window.setTimeout = real;
        window.clearTimeout = clear;
        Math.random = random;
    }
})()"""


@pytest.mark.parametrize(
    ("endings", "delays"),
    [
        ([{}, {}, {}, {}], [500, 1000, 2000, 4000]),
        ([{}, {}, {"end": "online"}, {}, {}], [500, 1000, 2000, 500, 1000]),
        ([{}, {}, {"progressed": True}, {}], [500, 1000, 500, 1000]),
        ([{}, {"retryAfter": 30}, {"retryAfter": 1}], [500, 30_000, 2000]),
    ],
    ids=["grow", "network", "progress", "server"],
)
async def test_delays(module_page: Page, endings: list[dict[str, object]], delays: list[int]) -> None:
    """They double until the action progresses or the network is back, and are no shorter than the server asks for."""
    assert await call(module_page, "js/service/retry", DELAYS, endings) == ["done", *delays]
