"""Tabs in one browser window: one is visible, the others are hidden and may be frozen.

Playwright keeps all its pages visible, so these tabs are controlled by the DevTools protocol alone
(https://chromedevtools.github.io/devtools-protocol/tot/Target/).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, CDPSession

from tests.support.eventually import DEADLINE, eventually


class TabStrip:
    """The tabs of one window; the tab that was opened or shown last is visible."""

    def __init__(self, session: CDPSession, context: str) -> None:
        self._session = session
        self._context = context

    @classmethod
    @asynccontextmanager
    async def of(cls, browser: Browser) -> AsyncIterator[TabStrip]:
        """Open a window in a context of its own; close it at the end of the block."""
        session = await browser.new_browser_cdp_session()
        context = (await session.send("Target.createBrowserContext"))["browserContextId"]
        yield cls(session, context)
        await session.send("Target.disposeBrowserContext", {"browserContextId": context})
        await session.detach()

    async def tab(self) -> StripTab:
        """Open a tab in front of the others."""
        options = {"url": "about:blank", "browserContextId": self._context}
        target = (await self._session.send("Target.createTarget", options))["targetId"]
        session = (await self._session.send("Target.attachToTarget", {"targetId": target}))["sessionId"]
        return StripTab(self._session, target, session)


class StripTab:
    """One tab of a strip."""

    def __init__(self, session: CDPSession, target: str, own_session: str) -> None:
        self._session = session
        self._target = target
        self._own_session = own_session
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._next = 1
        session.on("Target.receivedMessageFromTarget", self._received)

    async def goto(self, url: str) -> None:
        """Load an address."""
        await self._send("Page.navigate", url=url)

        async def loaded() -> bool:
            here = await self.evaluate("() => [location.href, document.readyState]")
            return bool(here[0].startswith(url) and here[1] == "complete")

        await eventually(loaded)

    async def evaluate(self, expression: str, arg: Any = None, /) -> Any:
        """Return the value of a function."""
        called = f"({expression})({json.dumps(arg)})"
        reply = await self._send("Runtime.evaluate", expression=called, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    async def show(self) -> None:
        """Bring the tab to the front."""
        await self._session.send("Target.activateTarget", {"targetId": self._target})
        await self.visibility("visible")

    async def visibility(self, expected: str) -> None:
        """Wait until the tab is "visible" or "hidden"."""

        async def agrees() -> bool:
            return bool(await self.evaluate("() => document.visibilityState") == expected)

        await eventually(agrees)

    async def restored(self) -> None:
        """Wait until the tab is restored from the back/forward cache; its page sets `window.restored` then."""

        async def back() -> bool:
            return await self.evaluate("() => window.restored") is True

        await eventually(back)

    async def freeze(self) -> None:
        """Freeze the tab, as the browser does to save power; the tab must be hidden."""
        await self._send("Page.setWebLifecycleState", state="frozen")

    async def thaw(self) -> None:
        """Resume a frozen tab."""
        await self._send("Page.setWebLifecycleState", state="active")

    async def _send(self, method: str, **parameters: Any) -> Any:
        number, self._next = self._next, self._next + 1
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        message = json.dumps({"id": number, "method": method, "params": parameters})
        await self._session.send("Target.sendMessageToTarget", {"sessionId": self._own_session, "message": message})
        async with asyncio.timeout(DEADLINE):
            return await reply

    def _received(self, event: dict[str, Any]) -> None:
        if event["sessionId"] != self._own_session:
            return
        message = json.loads(event["message"])
        reply = self._replies.pop(message.get("id"), None)
        if reply is None:
            return
        if "error" in message:
            reply.set_exception(AssertionError(message["error"]))
        else:
            reply.set_result(message["result"])
