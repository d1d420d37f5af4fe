"""A tab with nothing but the live client in it, which notes what it hears."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tests.support.eventually import eventually

# What `Math.random` draws in the tab: short waits, unless a test is about them and runs this before the page's scripts.
LONG_WAITS = "window.draw = 1"
# `states` and `heard` are what the client told.
OPEN = """async ({ person, fetched }) => {
    Math.random = () => window.draw ?? 0.05;
    Object.assign(window, { states: [], heard: [] });
    const { LiveClient } = await import("/static/live.js");
    const ticket = async () => {
        const answer = await fetch("/ticket", { method: "POST" });
        const retryAfter = Number(answer.headers.get("Retry-After"));
        if (!answer.ok) throw Object.assign(new Error("no ticket"), { status: answer.status, retryAfter });
        return answer.json();
    };
    window.live = new LiveClient({ ticket });
    live.addEventListener("state", ({ detail }) => states.push(detail));
    live.on("feed", ({ data }) => heard.push(data));
    live.onGap("feed", () => heard.push("gap"));
    window.stops = {};
    window.read = (channel) => {
        window.stops[channel] = live.subscribe(channel, {
            publication: (data) => heard.push(data),
            resumed: () => heard.push(`${channel} resumed`),
            failed: ({ code }) => heard.push(`${channel} failed ${code}`),
        });
    };
    live.start({ person });
    if (fetched) live.fetched("feed", fetched); // in the same turn: before anything was heard
}"""


class Page(Protocol):
    """What runs scripts: a page of Playwright's, or a tab of a real tab strip."""

    async def goto(self, url: str) -> Any:
        """Load an address."""

    async def evaluate(self, expression: str, arg: Any = None, /) -> Any:
        """Return the value of a function."""


class LiveTab:
    """One tab; without a `person` its connection is its own."""

    def __init__(self, page: Page, url: str, *, person: str | None = None) -> None:
        self.page = page
        self._url = url
        self._person = person

    async def open(self, *, fetched: object = None) -> LiveTab:
        """Load the page and start the client, with what was fetched of the feed, without waiting for anything."""
        await self.page.goto(self._url)
        await self.page.evaluate(OPEN, {"person": self._person, "fetched": fetched})
        return self

    async def live(self) -> LiveTab:
        """Wait until the client says that it is connected."""
        await self.says("live")
        return self

    async def says(self, state: str) -> None:
        """Wait until the client says that it is in a state."""

        async def agrees() -> bool:
            return bool(await self.state() == state)

        await eventually(agrees, within=10)

    async def state(self) -> str:
        """Return the client's state."""
        state: str = await self.page.evaluate("() => live.state")
        return state

    async def states(self) -> list[dict[str, Any]]:
        """Return what the client told of its state, from the beginning."""
        states: list[dict[str, Any]] = await self.page.evaluate("() => states")
        return states

    async def hears(self, *wanted: object) -> None:
        """Wait until the tab has heard exactly this, from the beginning."""

        async def agrees() -> bool:
            found = await self.page.evaluate("() => heard")
            assert found == list(wanted), found
            return True

        await eventually(agrees, within=5)

    async def read(self, channel: str) -> None:
        """Subscribe to a channel."""
        await self.page.evaluate("(channel) => { read(channel); }", channel)

    async def end(self, channel: str) -> None:
        """End the subscription to a channel."""
        await self.page.evaluate("(channel) => { stops[channel](); }", channel)

    async def run(self, script: str) -> None:
        """Run a statement."""
        await self.page.evaluate(f"() => {{ {script} }}")


OpenTab = Callable[..., Awaitable[LiveTab]]  # opens one more tab of a person
