"""Unmodified tus clients over a network that cuts their connections, in front of two processes."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from storage.blobs.keys import original_key
from tests.support.api import Api, running_api
from tests.support.api_user import ApiUser
from tests.support.cutting_proxy import CuttingProxy
from tests.support.pictures import encoded, halves

pytestmark = pytest.mark.engines

SCRIPT = Path(__file__).parents[3] / "sdk" / "tus_upload.mjs"
CHUNK = 60_000  # bytes, for those uploads that are divided
# After so many bytes of a connection, its headers included: in the first request line, in headers, after the headers,
# and anywhere in the bytes.
CUTS = [1, 200, 700, 40_000, *random.Random(7).sample(range(300, 90_000), 6)]

Upload = Callable[[str, ApiUser, Path, int], Awaitable[str]]


async def by_tus_js(url: str, user: ApiUser, path: Path, chunk: int) -> str:
    """Upload by tus-js-client and return the URL of the upload."""
    node = shutil.which("node")
    if node is None or not (SCRIPT.parent / "node_modules" / "tus-js-client").is_dir():
        pytest.skip("tus-js-client is missing; tests/install-engines installs it")
    process = await asyncio.create_subprocess_exec(
        node, str(SCRIPT), url, user.token, str(path), str(chunk), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


async def by_tuspy(url: str, user: ApiUser, path: Path, chunk: int) -> str:
    """Upload by tuspy and return the URL of the upload; it does not repeat a failed creation, so we do."""

    def run() -> str:
        client = TusClient(url, headers={"Authorization": f"Bearer {user.token}"})
        options = {"retries": 200, "retry_delay": 0.02, "upload_checksum": bool(chunk)}
        with path.open("rb") as stream:
            for _ in range(20):
                try:
                    uploader = client.uploader(file_stream=stream, chunk_size=chunk or float("inf"), **options)
                    uploader.upload()
                except TusCommunicationError:
                    continue
                return str(uploader.url)
        raise AssertionError("the upload was never created")

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("chunk", [0, CHUNK])
@pytest.mark.parametrize("upload", [by_tus_js, by_tuspy])
async def test_an_upload_survives_cuts(api: Api, tmp_path: Path, upload: Upload, chunk: int) -> None:
    """Whatever byte a connection is cut at, the upload goes on, on the other process, and arrives as it was sent."""
    user = await api.user()
    noise = random.Random(3).randbytes(200_000)
    data = encoded(halves()) + noise
    path = tmp_path / "sky.jpg"
    path.write_bytes(data)
    async with running_api(api.services) as second:
        proxy = CuttingProxy([api.port, second.port], CUTS)
        async with proxy.serving():
            url = await upload(f"http://127.0.0.1:{proxy.port}/api/v1/uploads/tus", user, path, chunk)
    assert proxy.connections > len(CUTS)
    response = await user.call("POST", "/photos", json={"upload_id": url.rpartition("/")[2]})
    response.expect(201)
    stored = await api.services.blobs.open(original_key(hashlib.sha256(data).hexdigest()))
    assert b"".join([piece async for piece in stored.chunks()]) == data
