"""The documents' examples work: each runs unchanged, except for the address of the service."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.engines.private import free_port
from tests.support.api_user import ApiUser
from tests.support.documents import ADDRESS, ROOT, Block, blocks
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS
from tests.support.service import Service

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

TIMEOUT = 60.0  # seconds for an example
FLOW = next(block for block in blocks("README.md", "sh") if "API=" in block.text)
CLIENT = blocks("README.md", "python")[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[Service]:
    """A new PicShare with its demonstration community, as the documents expect it."""
    folder, port = Path(tempfile.mkdtemp(prefix="psd-")), free_port()
    service = Service(["run", "--port", str(port)], folder=folder, name="run", port=port)
    try:
        await service.start(wait=False)
        await eventually(lambda: "sign in as demo" in service.log(), within=60)
        yield service
    finally:
        if service.process is not None and service.process.returncode is None:
            await service.stop()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


@asynccontextmanager
async def running(block: Block, service: Service) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example from the project's directory until the end of the block; its output is in `stdout`."""
    program = [sys.executable, "-u", "-c"] if block.language == "python" else ["sh", "-euc"]
    process = await asyncio.create_subprocess_exec(
        *program,
        block.text.replace(ADDRESS, service.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "API": f"{service.url}/api/v1"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def output_of(block: Block, service: Service) -> str:
    """Run an example to its end and return its output; fail if it fails."""
    async with asyncio.timeout(TIMEOUT), running(block, service) as process:
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    """Return the first line of an example's output that contains a text."""
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(TIMEOUT):
        while line := (await process.stdout.readline()).decode():
            output += line
            if text in line:
                return line
    raise AssertionError(f"the example ended without {text!r}:\n{output}")


async def test_the_flow_with_curl_works(service: Service) -> None:
    """Signing up, following, uploading, liking and commenting with curl ends in the owner's notification."""
    output = await output_of(FLOW, service)
    assert '"liked":true' in output
    assert "What a sight" in output


async def test_the_python_client_receives_publications(service: Service, http: aiohttp.ClientSession) -> None:
    """The README's client prints a new photo and a notification for the demonstration account."""
    demo, friend = ApiUser(http, service.url, "demo"), await ApiUser.sign_up(http, service.url)
    answer = (await demo.call("POST", "/tokens", json={"username": "demo", "password": "picshare-demo"})).expect(201)
    demo.token, demo.id = answer["access_token"], answer["user"]["id"]
    await demo.follow(friend)
    photo = next(item for item in await demo.feed() if item["author"]["username"] == "demo")
    async with running(CLIENT, service) as process:
        # The example does not print when it is connected, so events are repeated until it receives one.
        received = asyncio.create_task(line_with(process, "notifications notification"))
        while not received.done():
            (await friend.call("POST", f"/photos/{photo['id']}/comments", json={"text": "Hello?"})).expect(201)
            await asyncio.wait([received], timeout=1)
        await received
        await friend.upload(PHOTOS / "cat.jpg", "A cat")
        await line_with(process, "feed photo.new")


async def test_the_tutorial_works(service: Service) -> None:
    """The tutorial's client in Python shows the photo that the tutorial's second script uploads."""
    sign_up, upload = blocks("docs/tutorial.md", "sh")
    assert "Ben follows Ann" in await output_of(sign_up, service)
    async with running(blocks("docs/tutorial.md", "python")[0], service) as process:
        await line_with(process, "subscribed to feed")
        await output_of(upload, service)
        assert "Off it goes" in await line_with(process, "photo.new")


@pytest.mark.parametrize(
    "block",
    [
        *blocks("docs/api.md", "sh"),
        *blocks("docs/api.md", "python"),
        *blocks("docs/live.md", "sh"),
        *blocks("docs/live.md", "python"),
    ],
    ids=lambda block: block.name,
)
async def test_the_examples_of_the_guides_work(service: Service, block: Block) -> None:
    """Each example ends by itself and succeeds."""
    await output_of(block, service)
