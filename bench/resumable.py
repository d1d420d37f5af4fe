"""Processor time of the API process for each megabyte of resumable uploads, against the tus project's own server.

Both processes get the same uploads from the same client: announce, one PATCH, over a connection of its own. PicShare
also verifies and posts the photo, which hashes all bytes; the server of the tus project only stores them.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
from yarl import URL

from bench.api_process import api_process
from bench.report import RATIO, Figure, figure, ratios
from bench.uploads import IMAGE_BYTES, picture
from tests.engines.private import free_port
from tests.support.api_user import ApiUser

PEER = Path(__file__).parent / "tus_peer"
UPLOADS = 8  # in a run, one after the other
GROUP = f"resumable uploads (tus) of {IMAGE_BYTES / 1e6:g} MB"


async def measure(*, quick: bool) -> list[Figure]:
    """Return the milliseconds of both for each megabyte, and their ratio."""
    await asyncio.to_thread(subprocess.run, [PEER / "install"], check=True)
    ours, theirs = [], []
    async with api_process() as api, _peer() as (url, peer), _client() as http:
        uploader = await ApiUser.sign_up(http, api.url)
        headers = {"Authorization": f"Bearer {uploader.token}"}
        process = psutil.Process(api.pid)
        for number in range(1 + (3 if quick else 7)):
            before, before_peer = _seconds(process), _seconds(peer)
            for _ in range(UPLOADS):
                path = await _upload(http, f"{api.url}/api/v1/uploads/tus", headers)
                (await uploader.call("POST", "/photos", json={"upload_id": path.rpartition("/")[2]})).expect(201)
                await _upload(http, url, {})
            if number > 0:  # the first run warms both up
                megabytes = UPLOADS * IMAGE_BYTES / 1e6
                ours.append((_seconds(process) - before) * 1000 / megabytes)
                theirs.append((_seconds(peer) - before_peer) * 1000 / megabytes)
    return [
        figure(GROUP, "processor time for each MB, posted as a photo", "ms", ours),
        figure(GROUP, "@tus/server, stored as a file", "ms", theirs),
        figure(
            GROUP,
            "ratio to @tus/server",
            RATIO,
            ratios(ours, theirs),
            at_most=0.35,
            limit="a third of the protocol's own server, which does not hash",
        ),
    ]


def _client() -> aiohttp.ClientSession:
    # The peer closes a kept connection after five idle seconds, at the moment at which the client may use it again.
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))


async def _upload(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> str:
    body, common = picture(), {**headers, "Tus-Resumable": "1.0.0"}
    async with http.post(url, headers={**common, "Upload-Length": str(len(body))}) as created:
        assert created.status == 201, await created.text()
        location = str(created.url.join(URL(created.headers["Location"])))
    part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    async with http.patch(location, headers={**common, **part}, data=body) as appended:
        assert appended.status == 204, await appended.text()
    return location


@asynccontextmanager
async def _peer() -> AsyncIterator[tuple[str, psutil.Process]]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="psb-") as folder:
        process = await asyncio.create_subprocess_exec(
            "node", str(PEER / "server.mjs"), str(port), folder, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}/files", psutil.Process(process.pid)
        finally:
            process.terminate()
            await process.wait()


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
