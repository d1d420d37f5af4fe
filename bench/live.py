"""How long the moment lasts: like → owner's socket, upload answered → follower's socket, on an idle embedded service.

The service is a real `picshare run`; the clock is one process, that of the client who acts and listens.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.report import Figure, figure, percentile
from tests.engines.private import free_port
from tests.support.person import Person
from tests.support.pictures import photograph
from tests.support.service import Service
from workers.images.pool import Decoder

LIKES, UPLOADS = "like → owner's socket", "upload answered → follower's socket"
PAUSE = 0.03  # seconds between two acts: the service is idle when each begins


async def measure(*, quick: bool) -> list[Figure]:
    """Return p50 and p99 of both ways, several runs each."""
    runs, likes, uploads = (2, 30, 5) if quick else (5, 200, 20)
    async with _service() as url, aiohttp.ClientSession() as http:
        owner = await Person.sign_up(http, url)
        fan = await Person.sign_up(http, url)
        await fan.follow(owner)
        like_p50, like_p99, upload_p50, image, rest = [], [], [], [], []
        async with Socket.connect(http, owner) as owners, Socket.connect(http, fan) as fans:
            photo = await owner.upload(photograph())
            await fans.until("photo.new", photo["id"])
            await _like_delays(fan, photo["id"], owners, 10)
            for _ in range(runs):
                delays = await _like_delays(fan, photo["id"], owners, likes)
                like_p50.append(percentile(delays, 0.5))
                like_p99.append(percentile(delays, 0.99))
                upload_p50.append(percentile(await _upload_delays(owner, fans, uploads), 0.5))
                image.append(percentile(await _image_work(uploads), 0.5))
                rest.append(upload_p50[-1] - image[-1])
    return [
        figure(LIKES, "p50, embedded, idle", "ms", like_p50, at_most=10),
        figure(LIKES, "p99, embedded, idle", "ms", like_p99, at_most=40),
        figure(UPLOADS, "p50, 640×427 JPEG", "ms", upload_p50, at_most=150),
        figure(UPLOADS, "image work alone, p50", "ms", image),
        figure(UPLOADS, "all but image work", "ms", rest, at_most=20),
    ]


class Socket:
    """A bare live connection that notes when each publication came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._arrived: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def connect(cls, http: aiohttp.ClientSession, person: Person) -> AsyncIterator[Socket]:
        """Connect a person in JSON for the time of the block."""
        async with http.ws_connect(f"{person.url}/connection/websocket") as socket:
            live = cls(socket)
            await socket.send_str(json.dumps({"id": 1, "connect": {"token": person.token}}))
            await socket.receive()
            reader = asyncio.create_task(live._read())
            try:
                yield live
            finally:
                reader.cancel()

    async def until(self, kind: str, photo_id: str) -> float:
        """Return when a publication about a photo arrived, on the clock of `time.perf_counter`."""
        async with asyncio.timeout(10):
            while True:
                moment, data = await self._arrived.get()
                item = data.get("photo") or data.get("notification") or {}
                if data["type"] == kind and photo_id in (item.get("id"), item.get("photo_id")):
                    return moment

    async def _read(self) -> None:
        async for message in self._socket:
            moment = time.perf_counter()
            for line in message.data.splitlines():
                reply = json.loads(line)
                if not reply:
                    await self._socket.send_str("{}")
                elif "pub" in reply.get("push", {}):
                    self._arrived.put_nowait((moment, reply["push"]["pub"]["data"]))


async def _like_delays(fan: Person, photo_id: str, owners: Socket, count: int) -> list[float]:
    delays = []
    for _ in range(count):
        started = time.perf_counter()
        (await fan.call("PUT", f"/photos/{photo_id}/like")).expect(200)
        delays.append((await owners.until("notification", photo_id) - started) * 1000)
        (await fan.call("DELETE", f"/photos/{photo_id}/like")).expect(200)
        await asyncio.sleep(PAUSE)
    return delays


async def _upload_delays(owner: Person, fans: Socket, count: int) -> list[float]:
    delays = []
    for _ in range(count):
        photo = await owner.upload(photograph())
        answered = time.perf_counter()
        delays.append((await fans.until("photo.new", photo["id"]) - answered) * 1000)
        await asyncio.sleep(PAUSE)
    return delays


async def _image_work(count: int) -> list[float]:
    """Return how long the decoder alone takes for the same picture, warm, in milliseconds."""
    delays = []
    decoder = Decoder(processes=1)
    try:
        await decoder.variants(photograph())
        for _ in range(count):
            started = time.perf_counter()
            await decoder.variants(photograph())
            delays.append((time.perf_counter() - started) * 1000)
    finally:
        await decoder.close()
    return delays


@asynccontextmanager
async def _service() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="psb-") as folder:
        port = free_port()
        limits = {f"PICSHARE_LIMITS__{name}": "1000000/m" for name in ("LIKES", "UPLOADS", "READS", "WRITES")}
        service = Service(
            ["run", "--no-demo", "--port", str(port), "--data", f"{folder}/data"],
            folder=Path(folder),
            name="run",
            port=port,
            env={**limits, "PICSHARE_LOG__LEVEL": "warning"},
        )
        await service.start()
        try:
            yield service.url
        finally:
            await service.stop()
