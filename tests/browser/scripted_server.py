"""A live server that does as a test says, in the place of the real one, for the browser's live client."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import Page, WebSocketRoute

from tests.support.eventually import eventually

# The client alone, on a page that has no live connection of its own.
START = """async () => {
    const { LiveClient } = await import("/static/js/live.js");
    Object.assign(window, { states: [], heard: [], tickets: 0 });
    const ticket = async () => ({ token: `ticket ${++window.tickets}`, url: "/connection/websocket" });
    window.live = new LiveClient({ ticket });
    live.addEventListener("state", ({ detail }) => states.push(detail.state));
    live.on("feed", ({ data }) => heard.push(data));
    live.onGap("feed", () => heard.push("gap"));
    live.start();
}"""


class ScriptedServer:
    """Answer the client's commands; `results` are the connect results to give in turn, the last one for ever."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._socket: WebSocketRoute | None = None
        self.results: list[dict[str, Any]] = [{}]
        self.refuse: dict[str, dict[str, Any]] = {}
        self.commands: list[dict[str, Any]] = []
        self.connects = 0

    async def start(self, url: str) -> None:
        """Open a page with the client alone and wait until it is connected."""
        await self.open(url)
        await self.connected(1)

    async def open(self, url: str) -> None:
        """Open a page with the client alone and take its connections."""
        await self._page.route_web_socket("**/connection/websocket", self._accept)
        await self._page.goto(f"{url}/signin")
        await self._page.evaluate(START)

    async def connected(self, times: int) -> None:
        """Wait until the client has connected so many times in all."""
        await eventually(lambda: self.connects >= times, within=15)

    def send(self, *messages: dict[str, Any]) -> None:
        """Send messages in one frame."""
        assert self._socket is not None
        self._socket.send("\n".join(json.dumps(message) for message in messages))

    def publish(self, offset: int, data: object, *, channel: str = "feed") -> None:
        """Send one publication."""
        self.send(publication(offset, data, channel=channel))

    async def close(self, code: int, reason: str = "because") -> None:
        """Close the client's connection."""
        assert self._socket is not None
        await self._socket.close(code=code, reason=reason)

    async def state(self) -> str:
        """Return the client's state."""
        state: str = await self._page.evaluate("() => live.state")
        return state

    async def heard(self, *wanted: object) -> None:
        """Wait until the client's reader has heard exactly this."""

        async def agrees() -> bool:
            found = await self._page.evaluate("() => heard")
            assert found == list(wanted)
            return True

        await eventually(agrees, within=5)

    def sent(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of every command of a method."""
        return [command[method] for command in self.commands if method in command]

    def _accept(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(lambda message: self._answer(socket, str(message)))

    def _answer(self, socket: WebSocketRoute, frame: str) -> None:
        for line in frame.split("\n"):
            command = json.loads(line)
            self.commands.append(command)
            method = next((name for name in command if name != "id"), None)
            if method is None:
                continue
            socket.send(json.dumps(self._reply(command["id"], method, command[method])))

    def _reply(self, number: int, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        refusal = self.refuse.get(parameters.get("channel", method))
        if refusal is not None:
            return {"id": number, "error": refusal}
        if method != "connect":
            return {"id": number, method: {}}
        self.connects += 1
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        return {"id": number, "connect": {"client": "c", "version": "1", "ping": 25, "pong": True, **result}}


def publication(offset: int, data: object, *, channel: str = "feed") -> dict[str, Any]:
    """Return the push of a publication."""
    return {"push": {"channel": channel, "pub": {"offset": offset, "data": data}}}


def stream(offset: int, *, epoch: str = "e", **more: object) -> dict[str, Any]:
    """Return a connect result that subscribes to `feed` at an offset."""
    return {"subs": {"feed": {"recoverable": True, "positioned": True, "epoch": epoch, "offset": offset, **more}}}
