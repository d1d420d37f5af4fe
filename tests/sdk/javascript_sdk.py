"""centrifuge of npm, unmodified, in Node (JSON or Protobuf) and in a browser (JSON); `driver.mjs` drives it in both."""

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

from tests.sdk.clients import Event, SdkClient, Unanswered, told
from tests.support.eventually import eventually

FOLDER = Path(__file__).parent
PACKAGE = FOLDER / "node_modules" / "centrifuge"
_LONGEST_LINE = 1 << 20  # bytes of one event
_PAGE = (FOLDER / "page.html", FOLDER / "driver.mjs", PACKAGE / "dist" / "centrifuge.js")

Send = Callable[[dict[str, Any]], Awaitable[object]]


class JavaScriptClient:
    """Pass orders on, and write down what the SDK tells."""

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
        """Subscribe, or do it again."""
        await self._send("subscribe", channel=channel)

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe."""
        await self._send("unsubscribe", channel=channel)

    async def ask(self, method: str, **params: Any) -> Any:
        """Return the result of a question; raise `Unanswered`."""
        number = next(self._numbers)
        await self._send("ask", number=number, method=method, params=params)
        await eventually(lambda: told(self, event="answer", number=number))
        (answer,) = told(self, event="answer", number=number)
        if "code" in answer:
            raise Unanswered(answer["code"])
        return answer.get("result")


class Engine:
    """Where JavaScript runs, for the clients of all tests: `send` brings an order there, `hear` takes its events."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._clients: dict[int, JavaScriptClient] = {}
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def open(self, url: str, tokens: tuple[str, ...], **how: str) -> AsyncIterator[SdkClient]:
        """Connect a client for the time of the block."""
        number = next(self._numbers)

        async def send(order: str, **params: Any) -> None:
            await self._send({"client": number, "do": order, **params})

        client = self._clients[number] = JavaScriptClient(send)
        await send("open", url=url, tokens=tokens, **how)
        await client.connect()
        try:
            yield client
        finally:
            await client.disconnect()

    def hear(self, event: Event) -> None:
        """Hand an event to the client that tells it."""
        client = self._clients[event.pop("client")]
        client.events.append({key: value for key, value in event.items() if value is not None})


class JavaScriptSdk:
    """Open clients in one form over one transport, where JavaScript runs."""

    def __init__(self, engine: Engine, form: str, transport: str = "websocket") -> None:
        self._engine, self._form, self._transport = engine, form, transport

    @asynccontextmanager
    async def open(self, url: str, *tokens: str) -> AsyncIterator[SdkClient]:
        """Connect a client for the time of the block."""
        async with self._engine.open(url, tokens, form=self._form, transport=self._transport) as client:
            yield client


@asynccontextmanager
async def node_engine(binary: str) -> AsyncIterator[Engine]:
    """Run a Node process for the time of the block; see `client.mjs`."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        binary, FOLDER / "client.mjs", stdin=pipe, stdout=pipe, limit=_LONGEST_LINE
    )
    orders, events = process.stdin, process.stdout
    assert orders is not None
    assert events is not None

    async def send(order: dict[str, Any]) -> None:
        orders.write(json.dumps(order).encode() + b"\n")
        await orders.drain()

    async def listen() -> None:
        async for line in events:
            engine.hear(json.loads(line))

    engine = Engine(send)
    listening = asyncio.create_task(listen())
    try:
        yield engine
    finally:
        orders.close()
        await asyncio.wait_for(process.wait(), 5)
        await listening


@asynccontextmanager
async def page_engine(browser: Browser, origin: str) -> AsyncIterator[Engine]:
    """Open a page of this origin for the time of the block; see `page.html`."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        engine = Engine(partial(page.evaluate, "(order) => take(order)"))
        await page.expose_function("tell", engine.hear)
        await page.goto(f"{origin}/page.html")
        yield engine
    finally:
        await context.close()


@asynccontextmanager
async def serving_pages() -> AsyncIterator[str]:
    """Serve the page in which the SDK is loaded, on a free port for the time of the block; yield its origin."""
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
