"""The unmodified npm package centrifuge, in Node (JSON or Protobuf) and in a browser (JSON), through `driver.mjs`."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Browser

from tests.sdk.clients import ErrorReply, Event, SdkClient, matching_events
from tests.support.eventually import DEADLINE, eventually

FOLDER = Path(__file__).parent
PACKAGE = FOLDER / "node_modules" / "centrifuge"
_MAX_EVENT = 1 << 20  # bytes
_PAGE = (FOLDER / "page.html", FOLDER / "driver.mjs", PACKAGE / "dist" / "centrifuge.js")

Send = Callable[[dict[str, Any]], Awaitable[object]]


class JavaScriptClient:
    """Forwards commands to the SDK and records its events."""

    def __init__(self, send: Callable[..., Awaitable[None]]) -> None:
        self.events: list[Event] = []
        self._send = send
        self._numbers = itertools.count(1)

    async def connect(self) -> None:
        """Connect."""
        await self._send("connect")

    async def disconnect(self) -> None:
        """Disconnect for good."""
        await self._send("disconnect")

    async def subscribe(self, channel: str) -> None:
        """Subscribe, for the first time or again."""
        await self._send("subscribe", channel=channel)

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe."""
        await self._send("unsubscribe", channel=channel)

    async def request(self, method: str, **params: Any) -> Any:
        """Return the result of a request; raise `ErrorReply`."""
        number = next(self._numbers)
        await self._send("request", number=number, method=method, params=params)
        await eventually(lambda: matching_events(self, event="reply", number=number))
        (reply,) = matching_events(self, event="reply", number=number)
        if "code" in reply:
            raise ErrorReply(reply["code"])
        return reply.get("result")


class JavaScriptRuntime:
    """A JavaScript runtime for the clients of all tests; `send` passes on a command, `dispatch` receives an event."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._clients: dict[int, JavaScriptClient] = {}
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def open(self, url: str, tokens: tuple[str, ...], **options: str) -> AsyncIterator[SdkClient]:
        """Connect a client until the end of the block."""
        number = next(self._numbers)

        async def send(command: str, **params: Any) -> None:
            await self._send({"client": number, "do": command, **params})

        client = self._clients[number] = JavaScriptClient(send)
        await send("open", url=url, tokens=tokens, **options)
        await client.connect()
        try:
            yield client
        finally:
            await client.disconnect()

    def dispatch(self, event: Event) -> None:
        """Pass an event to its client."""
        client = self._clients[event.pop("client")]
        client.events.append({key: value for key, value in event.items() if value is not None})


class JavaScriptSdk:
    """Opens clients with one encoding and one transport in a JavaScript runtime."""

    def __init__(self, runtime: JavaScriptRuntime, encoding: str, transport: str = "websocket") -> None:
        self._runtime, self._encoding, self._transport = runtime, encoding, transport

    @asynccontextmanager
    async def open(self, url: str, *tokens: str) -> AsyncIterator[SdkClient]:
        """Connect a client until the end of the block."""
        async with self._runtime.open(url, tokens, encoding=self._encoding, transport=self._transport) as client:
            yield client


@asynccontextmanager
async def node_runtime(binary: str) -> AsyncIterator[JavaScriptRuntime]:
    """Run a Node process until the end of the block; see `client.mjs`."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        binary, FOLDER / "client.mjs", stdin=pipe, stdout=pipe, limit=_MAX_EVENT
    )
    commands, events = process.stdin, process.stdout
    assert commands is not None
    assert events is not None

    async def send(command: dict[str, Any]) -> None:
        commands.write(json.dumps(command).encode() + b"\n")
        await commands.drain()

    async def listen() -> None:
        async for line in events:
            runtime.dispatch(json.loads(line))

    runtime = JavaScriptRuntime(send)
    listening = asyncio.create_task(listen())
    try:
        yield runtime
    finally:
        commands.close()
        await asyncio.wait_for(process.wait(), DEADLINE)
        await listening


@asynccontextmanager
async def page_runtime(browser: Browser, origin: str) -> AsyncIterator[JavaScriptRuntime]:
    """Open a page of this origin until the end of the block; see `page.html`."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        runtime = JavaScriptRuntime(partial(page.evaluate, "(command) => execute(command)"))
        await page.expose_function("emit", runtime.dispatch)
        await page.goto(f"{origin}/page.html")
        yield runtime
    finally:
        await context.close()


@asynccontextmanager
async def serving_pages() -> AsyncIterator[str]:
    """Serve the page that loads the SDK, on a free port until the end of the block; yield its origin."""
    app = web.Application()
    for path in _PAGE:
        app.router.add_get(f"/{path.name}", partial(_file, path))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _file(path: Path, _: web.Request) -> web.FileResponse:
    return web.FileResponse(path)
