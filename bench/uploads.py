"""Memory of an API process while large photos arrive each way: peak growth for an upload in progress, as a share of it.

The process is a real `picshare serve --role api`, a new one for each run, since a process seldom returns memory to
the system. All uploads are in progress at the same time: each sends half of its bytes before any sends the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
import psutil

from bench.api_process import api_process
from bench.report import RATIO, Figure, figure
from tests.support.api_user import ApiUser
from tests.support.pictures import encoded, halves

AT_ONCE = 30
IMAGE_BYTES = 24_900_000
GROUP = f"{AT_ONCE} uploads of {IMAGE_BYTES / 1e6:g} MB at once"
PIECE = 64 * 1024
BEGIN = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
END = b"\r\n--b--\r\n"


Way = Callable[[ApiUser, bytes, asyncio.Barrier], Awaitable[None]]


async def measure(*, quick: bool) -> list[Figure]:
    """Return the growth in megabytes, and for each upload as a share of its image, for each way."""
    figures = []
    for name, way in (("a form", _form), ("tus", _tus), ("a signed request", _signed)):
        growths = [await _growth(way) for _ in range(2 if quick else 5)]
        figures += [
            figure(GROUP, f"growth of the API process, {name}", "MB", [growth / 1e6 for growth in growths]),
            figure(
                GROUP,
                f"for each upload, as a share of its image, {name}",
                RATIO,
                [growth / AT_ONCE / IMAGE_BYTES for growth in growths],
                at_most=0.5,
                limit="half of a server that holds each body in memory once",
            ),
        ]
    return figures


async def _growth(way: Way) -> int:
    async with api_process() as api, aiohttp.ClientSession() as http:
        uploader = await ApiUser.sign_up(http, api.url)
        process = psutil.Process(api.pid)
        await _upload_together(uploader, way, 1)
        before = process.memory_info().rss
        uploads = asyncio.create_task(_upload_together(uploader, way, AT_ONCE))
        peak = before
        while not uploads.done():
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.002)
        await uploads
        return peak - before


async def _upload_together(uploader: ApiUser, way: Way, count: int) -> None:
    halfway = asyncio.Barrier(count)
    await asyncio.gather(*(way(uploader, picture(), halfway) for _ in range(count)))


def picture() -> bytes:
    """Return a valid JPEG of `IMAGE_BYTES` that no other upload has."""
    # A JPEG decoder stops at the end marker; the bytes after it make the file large and unique.
    picture = encoded(halves()) + os.urandom(PIECE) * (IMAGE_BYTES // PIECE + 1)
    return picture[:IMAGE_BYTES]


async def _form(uploader: ApiUser, picture: bytes, halfway: asyncio.Barrier) -> None:
    """Send one photo as a form."""
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    await _send(uploader, "POST /api/v1/photos", headers, BEGIN + picture + END, halfway)


async def _tus(uploader: ApiUser, picture: bytes, halfway: asyncio.Barrier) -> None:
    """Send one photo as a resumable upload, and post it."""
    version = {"Tus-Resumable": "1.0.0"}
    announced = await uploader.call("POST", "/uploads/tus", headers={**version, "Upload-Length": str(len(picture))})
    path = announced.headers["Location"]
    headers = {**version, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    await _send(uploader, f"PATCH {path}", headers, picture, halfway)
    (await uploader.call("POST", "/photos", json={"upload_id": path.rpartition("/")[2]})).expect(201)


async def _signed(uploader: ApiUser, picture: bytes, halfway: asyncio.Barrier) -> None:
    """Send one photo by a signed request, and post it."""
    sha256 = hashlib.sha256(picture).hexdigest()
    form = {"content_type": "image/jpeg", "bytes": len(picture), "sha256": sha256}
    upload = (await uploader.call("POST", "/uploads", json=form)).expect(201)
    path = urlsplit(upload["url"])
    await _send(uploader, f"PUT {path.path}?{path.query}", upload["headers"], picture, halfway)
    (await uploader.call("POST", "/photos", json={"upload_id": upload["upload_id"]})).expect(201)


async def _send(uploader: ApiUser, line: str, headers: dict[str, str], body: bytes, halfway: asyncio.Barrier) -> None:
    """Send a request over a connection of its own; wait in the middle until all uploads have come so far."""
    port = int(uploader.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{line} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {uploader.token}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode())
    for start in range(0, len(body), PIECE):
        if start // PIECE == len(body) // PIECE // 2:
            await halfway.wait()
        writer.write(body[start : start + PIECE])
        await writer.drain()
    response = await reader.readuntil(b"\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 20"), response
    writer.close()
