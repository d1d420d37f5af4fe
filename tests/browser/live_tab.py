"""A browser tab that runs only the live client and records what the client delivers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tests.support.eventually import eventually

# Makes `Math.random` return 1, so that the client waits as long as it may. The default below gives short waits.
LONG_WAITS = "window.randomValue = 1"
# `states` and `received` record the client's events.
OPEN = """async ({ user, fetched }) => {
    Math.random = () => window.randomValue ?? 0.05;
    Object.assign(window, { states: [], received: [] });
    const { LiveClient } = await import("/static/live.js");
    const ticket = async () => {
        const answer = await fetch("/ticket", { method: "POST" });
        const retryAfter = Number(answer.headers.get("Retry-After"));
        if (!answer.ok) throw Object.assign(new Error("no ticket"), { status: answer.status, retryAfter });
        return answer.json();
    };
    window.live = new LiveClient({ ticket });
    live.addEventListener("state", ({ detail }) => states.push(detail));
    live.on("feed", ({ data }) => received.push(data));
    live.onGap("feed", () => received.push("gap"));
    window.unsubscribe = {};
    window.subscribe = (channel) => {
        window.unsubscribe[channel] = live.subscribe(channel, {
            publication: (data) => received.push(data),
            resumed: () => received.push(`${channel} resumed`),
            failed: ({ code }) => received.push(`${channel} failed ${code}`),
        });
    };
    live.start({ user });
    // In the same turn of the event loop, so that nothing has been received yet.
    if (fetched) live.fetched("feed", fetched);
}"""


class Page(Protocol):
    """The part of a Playwright page that `StripTab` offers, too."""

    async def goto(self, url: str) -> Any:
        """Load an address."""

    async def evaluate(self, expression: str, arg: Any = None, /) -> Any:
        """Return the value of a function."""


class LiveTab:
    """One tab; without a `user` it does not share its connection."""

    def __init__(self, page: Page, url: str, *, user: str | None = None) -> None:
        self.page = page
        self._url = url
        self._user = user

    async def open(self, *, fetched: object = None) -> LiveTab:
        """Load the page and start the client without waiting; `fetched` is the position of a feed fetched before."""
        await self.page.goto(self._url)
        await self.page.evaluate(OPEN, {"user": self._user, "fetched": fetched})
        return self

    async def live(self) -> LiveTab:
        """Wait until the client is connected."""
        await self.reaches("live")
        return self

    async def reaches(self, state: str) -> None:
        """Wait until the client is in a state."""

        async def agrees() -> bool:
            return bool(await self.state() == state)

        await eventually(agrees)

    async def state(self) -> str:
        """Return the client's state."""
        state: str = await self.page.evaluate("() => live.state")
        return state

    async def states(self) -> list[dict[str, Any]]:
        """Return every state event since the beginning."""
        states: list[dict[str, Any]] = await self.page.evaluate("() => states")
        return states

    async def receives(self, *expected: object) -> None:
        """Wait until the tab has received exactly this since the beginning."""

        async def agrees() -> bool:
            found = await self.page.evaluate("() => received")
            assert found == list(expected), found
            return True

        await eventually(agrees)

    async def subscribe(self, channel: str) -> None:
        """Subscribe to a channel."""
        await self.page.evaluate("(channel) => { subscribe(channel); }", channel)

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe from a channel."""
        await self.page.evaluate("(channel) => { unsubscribe[channel](); }", channel)

    async def run(self, script: str) -> None:
        """Run a statement."""
        await self.page.evaluate(f"() => {{ {script} }}")


OpenTab = Callable[..., Awaitable[LiveTab]]  # opens one more tab of a user
