"""The example of a moderation service: a process of its own, which asks a fake of the interface that it is made for."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.engines.private import free_port
from tests.support.documents import ROOT
from tests.support.eventually import eventually
from workers.webhooks.signing import Scheme, new_secret, signed_headers
from workers.webhooks.verdicts import verdict_in

PROGRAM = ROOT / "examples" / "moderation_receiver.py"
PHOTO: dict[str, Any] = {
    "caption": "at the sea",
    "alt_text": "",
    "tags": ["sea"],
    "media": {"url": "https://photos.example.com/media/review/r1/x/1080.jpg?exp=1&sig=2"},
}


class Upstream:
    """A fake of OpenAI's `/v1/moderations`: flags what a test sets, for each image."""

    def __init__(self) -> None:
        self.flagged: dict[str, float] = {}
        self.status = 200
        self.requests: list[Any] = []

    async def moderate(self, request: web.Request) -> web.Response:
        """Respond as the interface does."""
        assert request.headers["Authorization"] == "Bearer the key"
        self.requests.append(await request.json())
        names = {"sexual", "violence", "violence/graphic", *self.flagged}
        result = {
            "flagged": bool(self.flagged),
            "categories": {name: name in self.flagged for name in names},
            "category_scores": {name: self.flagged.get(name, 0.01) for name in names},
        }
        return web.json_response({"id": "modr-1", "results": [result]}, status=self.status)


@asynccontextmanager
async def receiver(secret: str, upstream: str) -> AsyncIterator[str]:
    """Run the program; yield its URL."""
    port = free_port()
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "MODERATION_URL": upstream, "MODERATION_KEY": "the key"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, str(port), env=environment, stderr=asyncio.subprocess.DEVNULL
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(listens)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        await process.wait()


async def test_the_example_decides() -> None:
    """It refuses what is not signed, returns challenges, asks about texts and every picture, and gives verdicts."""
    assert len(PROGRAM.read_text().splitlines()) <= 90
    secret, upstream = new_secret(Scheme.HMAC), Upstream()
    application = web.Application()
    application.router.add_post("/v1/moderations", upstream.moderate)
    async with (
        TestServer(application) as server,
        aiohttp.ClientSession() as session,
        receiver(secret, str(server.make_url("/v1/moderations"))) as url,
    ):

        async def send(kind: str, data: dict[str, Any], *, key: str = secret) -> tuple[int, bytes]:
            body = json.dumps({"type": kind, "data": data}).encode()
            headers = signed_headers([key], body, message="msg_1", second=int(time.time()))
            async with session.post(url, data=body, headers=headers) as response:
                return response.status, await response.read()

        assert (await send("photo.ready", PHOTO, key=new_secret(Scheme.HMAC)))[0] == 401
        assert json.loads((await send("endpoint.ping", {"challenge": "abc"}))[1]) == {"challenge": "abc"}
        assert verdict_in((await send("photo.uploaded", {**PHOTO, "media": None}))[1]) is None
        assert upstream.requests == []
        found = verdict_in((await send("photo.ready", PHOTO))[1])
        assert found is not None
        assert found.verdict == "allow"
        (asked,) = upstream.requests
        assert asked["input"][0]["text"] == "at the sea  sea"
        assert asked["input"][1]["image_url"]["url"] == PHOTO["media"]["url"]
        for flagged, verdict in (({"violence": 0.8}, "sensitive"), ({"violence/graphic": 0.9, "x": 0.1}, "hide")):
            upstream.flagged = flagged
            found = verdict_in((await send("photo.ready", {**PHOTO, "items": [PHOTO, PHOTO]}))[1])
            assert found is not None
            assert (found.verdict, found.labels) == (verdict, flagged)
            assert found.rule in found.reason
        upstream.status = 500
        status, body = await send("photo.ready", PHOTO)
        assert (status, verdict_in(body)) == (503, None), "the message is sent again"
