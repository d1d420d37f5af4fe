"""Memory of an API process while large photos arrive: peak growth for each upload in progress, as a share of its image.

The process is a real `picshare serve --role api`, a new one for each run, since a process seldom returns memory to
the system. All uploads are in progress at the same time: each sends half of its bytes before any sends the rest.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import psutil

from bench.report import RATIO, Figure, figure
from storage.embedded.postgres import embedded_postgres
from tests.engines.private import free_port, redis_server
from tests.support.api_user import ApiUser
from tests.support.pictures import encoded, halves
from tests.support.service import Service

AT_ONCE = 30
IMAGE_BYTES = 9_900_000
GROUP = f"{AT_ONCE} uploads of {IMAGE_BYTES / 1e6:g} MB at once"
PIECE = 64 * 1024
BEGIN = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
END = b"\r\n--b--\r\n"


async def measure(*, quick: bool) -> list[Figure]:
    """Return the growth in megabytes, and for each upload as a share of its image."""
    growths = [await _growth() for _ in range(2 if quick else 5)]
    return [
        figure(GROUP, "growth of the API process", "MB", [growth / 1e6 for growth in growths]),
        figure(
            GROUP,
            "for each upload, as a share of its image",
            RATIO,
            [growth / AT_ONCE / IMAGE_BYTES for growth in growths],
            at_most=0.5,
            limit="half of a server that holds each body in memory once",
        ),
    ]


async def _growth() -> int:
    async with _api() as api, aiohttp.ClientSession() as http:
        uploader = await ApiUser.sign_up(http, api.url)
        process = psutil.Process(api.pid)
        await _upload_together(api, uploader, 1)
        before = process.memory_info().rss
        uploads = asyncio.create_task(_upload_together(api, uploader, AT_ONCE))
        peak = before
        while not uploads.done():
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.002)
        await uploads
        return peak - before


async def _upload_together(api: Service, uploader: ApiUser, count: int) -> None:
    halfway = asyncio.Barrier(count)
    await asyncio.gather(*(_upload(api, uploader, halfway) for _ in range(count)))


async def _upload(api: Service, uploader: ApiUser, halfway: asyncio.Barrier) -> None:
    """Send one photo over a connection of its own; wait in the middle until all uploads have come so far."""
    picture = encoded(halves())
    # A JPEG decoder stops at the end marker; the bytes after it make the file large and unique.
    picture += os.urandom(PIECE) * (IMAGE_BYTES // PIECE + 1)
    body = BEGIN + picture[:IMAGE_BYTES] + END
    port = int(api.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /api/v1/photos HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {uploader.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode())
    for start in range(0, len(body), PIECE):
        if start // PIECE == len(body) // PIECE // 2:
            await halfway.wait()
        writer.write(body[start : start + PIECE])
        await writer.drain()
    response = await reader.readuntil(b"\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 201"), response
    writer.close()


@asynccontextmanager
async def _api() -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        port = free_port()
        env = {
            "PICSHARE_DATABASE__URL": await stack.enter_async_context(embedded_postgres(folder)),
            "PICSHARE_REDIS__URL": stack.enter_context(redis_server(folder / "redis")),
            "PICSHARE_BROKER__URL": "amqp://127.0.0.1/unused",
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
            "PICSHARE_LOG__LEVEL": "warning",
        }
        schema = Service(["migrate"], folder=folder, name="migrate", env=env)
        await schema.start(wait=False)
        assert schema.process is not None
        assert await schema.process.wait() == 0, schema.log()
        api = Service(["serve", "--role", "api", "--port", str(port)], folder=folder, name="api", port=port, env=env)
        await api.start()
        stack.push_async_callback(api.stop)
        yield api
