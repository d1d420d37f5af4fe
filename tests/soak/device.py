"""One device with its own implementation of the live protocol, which reconnects, and can be cut or stalled."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from tests.soak.api import REQUEST_ERRORS, Api
from tests.soak.cluster import WINDOW
from tests.soak.report import Report
from tests.soak.view import FEED, STREAMS, Document, View

PATH = "/connection/websocket"
CONNECT_TIMEOUT = 5.0  # seconds for the handshake, and for the reply to the connect command
PING_GRACE = 4.0  # seconds that a ping may be late
BACKOFF = (0.02, 1.0)  # seconds: a fixed part, and the maximum of the random part that grows with each attempt


class Device:
    """One device of a user; `url` is the address of its last connection.

    `disturbed_at` is the monotonic time of its last cut or stall.
    """

    def __init__(
        self,
        name: str,
        token: str,
        *,
        urls: Callable[[], Sequence[str]],
        api: Api,
        report: Report,
        backoff: tuple[float, float] = BACKOFF,
    ) -> None:
        self.name = name
        self.view = View()
        self.url = ""
        self.connected = False
        self.disturbed_at = 0.0
        self.connected_at: list[float] = []
        self._token = token
        self._urls = urls
        self._api = api
        self._report = report
        self._backoff = backoff
        self._ids = itertools.count(1)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._stalls = 0
        self._stale = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._listening: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Device]:
        """Run until the end of the block."""
        connector = aiohttp.TCPConnector(socket_factory=_small_socket)
        async with aiohttp.ClientSession(connector=connector) as session:
            tasks = [asyncio.create_task(work) for work in (self._stay_connected(session), self._refetch_stale())]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                self.view.violations += [f"the device failed: {error!r}" for error in outcomes if _is_defect(error)]

    @property
    def stalled(self) -> bool:
        """Return whether the device has stopped refetches."""
        return self._stalls > 0

    def cut(self) -> None:
        """Abort the connection at once, with all data in flight."""
        self.disturbed_at = time.monotonic()
        if self._listening is not None:
            self._listening.cancel()

    async def stall(self, seconds: float, *, greedy: bool) -> None:
        """Stop refetches for a while; with `greedy`, after requesting a lot of data."""
        if greedy and self._socket is not None:
            with suppress(*REQUEST_ERRORS):
                for _ in range(100):
                    await self._send(self._socket, {"id": next(self._ids), "history": {"channel": FEED, "limit": 100}})
        self._stalls += 1
        self._flowing.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._stalls -= 1
            self.disturbed_at = time.monotonic()
            if not self._stalls:
                self._flowing.set()

    async def _stay_connected(self, session: aiohttp.ClientSession) -> None:
        attempt = 0
        while True:
            connects_before = len(self.connected_at)
            self._listening = asyncio.create_task(self._run_connection(session))
            try:
                await self._listening
            except REQUEST_ERRORS:
                self._report.closes["lost"] += 1
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a task runs this
                    self._listening.cancel()
                    raise
                self._report.closes["cut"] += 1
            finally:
                self.connected = False
            attempt = 0 if len(self.connected_at) > connects_before else attempt + 1
            fixed, maximum = self._backoff
            await asyncio.sleep(fixed + random.random() * min(maximum, 0.1 * 2**attempt))

    async def _run_connection(self, session: aiohttp.ClientSession) -> None:
        self.url = random.choice(self._urls())
        address = self.url.replace("http", "ws", 1) + PATH
        async with asyncio.timeout(CONNECT_TIMEOUT):
            ws = await session.ws_connect(address, autoping=False, max_msg_size=0, timeout=_CLOSE_TIMEOUT)
        async with ws:
            self._socket = ws
            try:
                subs = self.view.positions()
                await self._send(ws, {"id": next(self._ids), "connect": {"token": self._token, "subs": subs}})
                await self._listen(ws)
            except asyncio.CancelledError:
                if ws._response.connection is not None and ws._response.connection.transport is not None:
                    ws._response.connection.transport.abort()
                raise
            finally:
                self._socket = None

    async def _listen(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        silence = CONNECT_TIMEOUT
        while True:
            async with asyncio.timeout(silence):
                frame = await ws.receive()
            await self._flowing.wait()
            if frame.type is not aiohttp.WSMsgType.TEXT:
                self._report.closes[str(int(ws.close_code or 0))] += 1
                return
            for message in map(json.loads, frame.data.split("\n")):
                if not message:
                    await self._send(ws, {})
                elif "connect" in message:
                    self._handle_connected(message["connect"])
                    silence = message["connect"]["ping"] + PING_GRACE
                elif "error" in message and not self.connected:
                    self._report.connects[f"refused {message['error']['code']}"] += 1
                    return
                elif "pub" in message.get("push", {}):
                    self._report.publications["live"] += 1
                    self.view.apply(message["push"]["channel"], message["push"]["pub"])

    def _handle_connected(self, result: Document) -> None:
        for name in STREAMS:
            outcome = self.view.begin(name, result["subs"][name])
            self._report.connects[outcome] += 1
            self._report.publications["recovered"] += len(result["subs"][name].get("publications", ()))
        if self.view.stale:
            self._stale.set()
        self.connected = True
        self.connected_at.append(time.monotonic())

    async def _send(self, ws: aiohttp.ClientWebSocketResponse, message: Document) -> None:
        await ws.send_str(json.dumps(message))

    async def _refetch_stale(self) -> None:
        """Refetch streams that could not be recovered, until the API answers."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            for name in self.view.stale:
                refetches = self.view.streams[name].refetches
                try:
                    items = await self._api.read_all(self._token, name)
                except REQUEST_ERRORS:
                    await asyncio.sleep(0.2)
                else:
                    self._report.publications["refetched"] += len(items)
                    self.view.replace(name, items, refetches)
            if self.view.stale:
                self._stale.set()


def _small_socket(info: Any) -> socket.socket:
    family, kind, protocol, _, _ = info
    connection = socket.socket(family, kind, protocol)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    return connection


def _is_defect(outcome: object) -> bool:
    return isinstance(outcome, Exception)


_CLOSE_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=0.5)
