"""One device that speaks the live protocol by hand and comes back whenever it is cut off; it can be made to suffer."""

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

from tests.soak.api import TROUBLE, Api
from tests.soak.cluster import WINDOW
from tests.soak.tally import Tally
from tests.soak.view import FEED, STREAMS, Document, View

PATH = "/connection/websocket"
CONNECT = 5.0  # seconds for the handshake, and for the answer to the connect command
PATIENCE = 4.0  # seconds beyond the ping interval that the server may be silent
BACKOFF = (0.02, 1.0)  # seconds: the least, and what grows up to the most, drawn at random from below it


class Device:
    """One device of a person; `url` is where it connected last.

    `disturbed_at` is when it was last made to suffer, by the monotonic clock.
    """

    def __init__(
        self,
        name: str,
        token: str,
        *,
        urls: Callable[[], Sequence[str]],
        api: Api,
        tally: Tally,
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
        self._tally = tally
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
        """Be on for the time of the block."""
        connector = aiohttp.TCPConnector(socket_factory=_small_socket)
        async with aiohttp.ClientSession(connector=connector) as session:
            tasks = [asyncio.create_task(work) for work in (self._stay(session), self._read_anew())]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                self.view.faults += [f"the device broke: {error!r}" for error in outcomes if _is_defect(error)]

    @property
    def stalled(self) -> bool:
        """Tell whether it is made to take nothing."""
        return self._stalls > 0

    def cut(self) -> None:
        """Lose the connection at this very moment, and with it whatever was under way."""
        self.disturbed_at = time.monotonic()
        if self._listening is not None:
            self._listening.cancel()

    async def stall(self, seconds: float, *, greedy: bool) -> None:
        """Take nothing for a while; a greedy one has asked for a lot before."""
        if greedy and self._socket is not None:
            with suppress(*TROUBLE):
                for _ in range(100):
                    await self._say(self._socket, {"id": next(self._ids), "history": {"channel": FEED, "limit": 100}})
        self._stalls += 1
        self._flowing.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._stalls -= 1
            self.disturbed_at = time.monotonic()
            if not self._stalls:
                self._flowing.set()

    async def _stay(self, session: aiohttp.ClientSession) -> None:
        attempt = 0
        while True:
            begun = len(self.connected_at)
            self._listening = asyncio.create_task(self._converse(session))
            try:
                await self._listening
            except TROUBLE:
                self._tally.closes["lost"] += 1
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a task runs this
                    self._listening.cancel()
                    raise
                self._tally.closes["cut"] += 1
            finally:
                self.connected = False
            attempt = 0 if len(self.connected_at) > begun else attempt + 1
            least, most = self._backoff
            await asyncio.sleep(least + random.random() * min(most, 0.1 * 2**attempt))

    async def _converse(self, session: aiohttp.ClientSession) -> None:
        self.url = random.choice(self._urls())
        address = self.url.replace("http", "ws", 1) + PATH
        async with asyncio.timeout(CONNECT):
            ws = await session.ws_connect(address, autoping=False, max_msg_size=0, timeout=_QUICK)
        async with ws:
            self._socket = ws
            try:
                subs = self.view.positions()
                await self._say(ws, {"id": next(self._ids), "connect": {"token": self._token, "subs": subs}})
                await self._listen(ws)
            except asyncio.CancelledError:
                if ws._response.connection is not None and ws._response.connection.transport is not None:
                    ws._response.connection.transport.abort()
                raise
            finally:
                self._socket = None

    async def _listen(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        silence = CONNECT
        while True:
            async with asyncio.timeout(silence):
                frame = await ws.receive()
            await self._flowing.wait()
            if frame.type is not aiohttp.WSMsgType.TEXT:
                self._tally.closes[str(int(ws.close_code or 0))] += 1
                return
            for message in map(json.loads, frame.data.split("\n")):
                if not message:
                    await self._say(ws, {})
                elif "connect" in message:
                    self._begin(message["connect"])
                    silence = message["connect"]["ping"] + PATIENCE
                elif "error" in message and not self.connected:
                    self._tally.connects[f"refused {message['error']['code']}"] += 1
                    return
                elif "pub" in message.get("push", {}):
                    self._tally.publications["live"] += 1
                    self.view.apply(message["push"]["channel"], message["push"]["pub"])

    def _begin(self, result: Document) -> None:
        for name in STREAMS:
            outcome = self.view.begin(name, result["subs"][name])
            self._tally.connects[outcome] += 1
            self._tally.publications["recovered"] += len(result["subs"][name].get("publications", ()))
        if self.view.stale:
            self._stale.set()
        self.connected = True
        self.connected_at.append(time.monotonic())

    async def _say(self, ws: aiohttp.ClientWebSocketResponse, message: Document) -> None:
        await ws.send_str(json.dumps(message))

    async def _read_anew(self) -> None:
        """Ask the API for what live cannot tell any more, for as long as it takes."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            for name in self.view.stale:
                reading = self.view.streams[name].reading
                try:
                    items = await self._api.read_all(self._token, name)
                except TROUBLE:
                    await asyncio.sleep(0.2)
                else:
                    self._tally.publications["read anew"] += len(items)
                    self.view.replace(name, items, reading)
            if self.view.stale:
                self._stale.set()


def _small_socket(info: Any) -> socket.socket:
    family, kind, protocol, _, _ = info
    connection = socket.socket(family, kind, protocol)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    return connection


def _is_defect(outcome: object) -> bool:
    return isinstance(outcome, Exception)


_QUICK = aiohttp.ClientWSTimeout(ws_close=0.5)
