"""The blocks of the documents work: each is run as it is written, but for addresses and directories.

One service with its demonstration community runs all of them, in the order of the documents.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from tests.support.snippets import SHELL, commands, has_own_test, snippets

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

TIMEOUT = 60.0  # seconds for a block
DEMO = {"username": "demo", "password": "picshare-demo"}
RECEIVER_PORT = "8099"  # of the guide to receivers of webhooks
# Clients that go on until they are ended, and what happens meanwhile: tests of their own are below.
ENDLESS = {("README.md", "python"), ("docs/tutorial.md", "python")}
TOGETHER = {("docs/tutorial.md", "sh")}  # with such a client
FLOW = next(block for block in blocks("README.md", "sh") if "Ann is notified" in block.text)
# Functions of the reader's program that the blocks in JavaScript call, and what ends them.
BEFORE_JS = """
import { WebSocket } from "ws";
import { Centrifuge as Sdk } from "centrifuge";
globalThis.WebSocket = WebSocket;
globalThis.Centrifuge = Sdk;
const token = async () => process.env.TOKEN;
Object.assign(globalThis, { fetchAccessToken: token, getToken: token, accessToken: token, refetch: () => {} });
globalThis.show = () => process.exit(0);
"""
AFTER_JS = """
client.on?.("publication", () => process.exit(0));
client.connect?.();
"""
_METHOD = re.compile(r"\b(GET|HEAD|POST|PUT|PATCH|DELETE)\s+(/[^\s?{]*)")


@dataclass(frozen=True)
class Stage:
    """The service, and the directory in which the blocks run: the repository's folders, and what blocks read."""

    service: Service
    folder: Path
    texts: dict[str, str]

    def adapted(self, text: str) -> str:
        """Return a block with the addresses and directories of this test in place of those of the documents."""
        for old, new in self.texts.items():
            text = text.replace(old, new)
        return text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """A new PicShare with its demonstration community, as the documents expect it."""
    folder, port, receiver = Path(tempfile.mkdtemp(prefix="psd-")), free_port(), free_port()
    env = {
        "PICSHARE_OUTBOUND__ALLOW_HTTP": "true",
        "PICSHARE_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.1/32",
        "PICSHARE_OUTBOUND__PORTS": f"443,{receiver}",
        # Nearly each block signs in.
        **{f"PICSHARE_LIMITS__SIGN_IN_{name}": "10000/5m" for name in ("ACCOUNT", "ADDRESS")},
    }
    data = folder / "data"
    command = ["run", "--port", str(port), "--data", str(data)]
    service = Service(command, folder=folder, name="run", port=port, env=env)
    texts = {
        ADDRESS: service.url,
        "https://photos.example.com": service.url,
        "https://photos.example": service.url,
        "wss://photos.example": service.url.replace("http", "ws"),
        ADDRESS.replace("http", "ws"): service.url.replace("http", "ws"),
        "/var/lib/picshare": str(data),
        "/srv/picshare/blobs": str(data / "blobs"),
        "/etc/picshare": str(folder / "etc"),
        "/backup": str(folder / "backup"),
        RECEIVER_PORT: str(receiver),
        ":…@": ":a-password@",
        "SECRET=…": f"SECRET={'x' * 40}",
    }
    try:
        await service.start(wait=False)
        await eventually(lambda: "sign in as demo" in service.log(), within=60)
        prepare(folder)
        yield Stage(service, folder / "work", texts)
    finally:
        if service.process is not None and service.process.returncode is None:
            await service.stop()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def prepare(folder: Path) -> None:
    """Make the directory of the blocks, with the files that they name."""
    work = folder / "work"
    for path in (work, folder / "etc", folder / "backup", folder / "bin", work / "web" / "queries"):
        path.mkdir(parents=True)
    for name in ("server", "deploy", "examples", "storage"):
        (work / name).symlink_to(ROOT / name)
    (work / "node_modules").symlink_to(ROOT / "tests" / "sdk" / "node_modules")
    (work / "receiver.py").write_text(blocks("docs/webhook-receiver.md", "python")[0].text)
    (work / "spam.csv").write_text(blocks("docs/abuse-detection.md", "csv")[0].text)
    (work / "suspicious.jpg").symlink_to(PHOTOS / "cat.jpg")
    for number, block in enumerate(blocks("docs/graphql.md", "graphql")):
        if block.text.startswith(("query", "mutation")):
            (work / "web" / "queries" / f"{number}.graphql").write_text(block.text)
    # The one that is installed may be another copy of the repository.
    program = folder / "bin" / "picshare"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m server.cli "$@"\n')
    program.chmod(0o755)


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


@pytest_asyncio.fixture(loop_scope="module")
async def demo(stage: Stage, http: aiohttp.ClientSession) -> ApiUser:
    """The demonstration account, signed in."""
    user = ApiUser(http, stage.service.url, "demo")
    answer = (await user.call("POST", "/tokens", json=DEMO)).expect(201)
    user.token, user.id = answer["access_token"], answer["user"]["id"]
    return user


@asynccontextmanager
async def running(
    block: Block, stage: Stage, *, token: str = "", after: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a block until the end of this one; its output is in `stdout`."""
    text = stage.adapted(commands(block)) + after
    match block.language:
        case "python":
            program = [sys.executable, "-u", "-c", text]
        case "js":
            program = ["node", "--input-type=module", "-e", BEFORE_JS + text]
        case _:
            program = ["sh", "-euc", text]
    process = await asyncio.create_subprocess_exec(
        *program,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=stage.folder,
        env={
            **os.environ,
            "PATH": f"{stage.folder.parent / 'bin'}:{os.environ['PATH']}",
            "PICSHARE_DATA__DIR": str(stage.folder.parent / "data"),
            "PICSHARE_NEW_PASSWORD": "correct horse battery",
            "API": f"{stage.service.url}/api/v1",
            **{name: token for name in ("TOKEN", "ACCESS", "SESSION") if token},
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def output_of(block: Block, stage: Stage, *, token: str = "", after: str = "") -> str:
    """Run a block to its end and return its output; fail if it fails."""
    async with asyncio.timeout(TIMEOUT), running(block, stage, token=token, after=after) as process:
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    """Return the first line of a block's output that contains a text."""
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(TIMEOUT):
        while line := (await process.stdout.readline()).decode():
            output += line
            if text in line:
                return line
    raise AssertionError(f"the block ended without {text!r}:\n{output}")


def of(*languages: str) -> list[Block]:
    """Return the blocks of some languages that are run here."""
    return [
        block
        for block in snippets()
        if block.language in languages
        and block.reason is None
        and not has_own_test(block)
        and (block.document, block.language) not in ENDLESS | TOGETHER
        and block != FLOW
    ]


@pytest.mark.parametrize("block", of(*SHELL), ids=lambda block: block.name)
async def test_commands_succeed(stage: Stage, demo: ApiUser, block: Block) -> None:
    """Each block of commands succeeds; the settings that it exports are accepted."""
    after = "\npicshare config > /dev/null\n" if re.search(r"^export PICSHARE_", block.text, re.MULTILINE) else ""
    await output_of(block, stage, token=demo.token, after=after)


@pytest.mark.parametrize("block", of("python"), ids=lambda block: block.name)
async def test_programs_in_python_succeed(stage: Stage, block: Block) -> None:
    """Each program ends by itself, and succeeds."""
    await output_of(block, stage)


@pytest.mark.parametrize("block", of("js"), ids=lambda block: block.name)
async def test_programs_in_javascript_receive_a_photo(
    stage: Stage, demo: ApiUser, http: aiohttp.ClientSession, block: Block
) -> None:
    """Each program connects with the published SDK, and receives a photo of an author whom its user follows."""
    friend = await ApiUser.sign_up(http, stage.service.url)
    await demo.follow(friend)
    after = AFTER_JS if "Centrifuge" in block.text else ""
    running_block = asyncio.create_task(output_of(block, stage, token=demo.token, after=after))
    # The program does not print when it is connected, so photos are repeated until it receives one.
    while not running_block.done():
        await friend.upload(PHOTOS / "cat.jpg", "A cat")
        await asyncio.wait([running_block], timeout=1)
    await running_block


@pytest.mark.parametrize("block", of("http"), ids=lambda block: block.name)
async def test_requests_have_an_endpoint(stage: Stage, http: aiohttp.ClientSession, block: Block) -> None:
    """Each request that a block shows is one of the REST API."""
    async with http.get(f"{stage.service.url}/api/v1/openapi.json") as response:
        paths = (await response.json())["paths"]
    endpoints = {
        (method.upper(), re.sub(r"\{[^}]*\}", "<>", path)) for path, methods in paths.items() for method in methods
    }
    requests = _METHOD.findall(block.text)
    assert requests
    for method, path in requests:
        name = re.sub(r"<[^>]*>", "<>", path.removeprefix("/api/v1"))
        assert (method, name) in endpoints or (method, f"/api/v1{name}") in endpoints


async def test_the_flow_ends_in_a_notification(stage: Stage, http: aiohttp.ClientSession) -> None:
    """The commands of README.md succeed, and after them Ann has the comment among her notifications."""
    await output_of(FLOW, stage)
    ann = ApiUser(http, stage.service.url, "ann")
    fields = {"username": "ann", "password": "correct horse battery"}
    ann.token = (await ann.call("POST", "/tokens", json=fields)).expect(201)["access_token"]

    async def notified() -> bool:
        return "What a sight" in str((await ann.call("GET", "/notifications")).expect(200))

    await eventually(notified)


async def test_the_python_client_receives_publications(
    stage: Stage, demo: ApiUser, http: aiohttp.ClientSession
) -> None:
    """The client of README.md prints a new photo and a notification for the demonstration account."""
    friend = await ApiUser.sign_up(http, stage.service.url)
    await demo.follow(friend)
    photo = next(item for item in await demo.feed() if item["author"]["username"] == "demo")
    async with running(blocks("README.md", "python")[0], stage) as process:
        # The block does not print when it is connected, so events are repeated until it receives one.
        received = asyncio.create_task(line_with(process, "notifications notification"))
        while not received.done():
            (await friend.call("POST", f"/photos/{photo['id']}/comments", json={"text": "Hello?"})).expect(201)
            await asyncio.wait([received], timeout=1)
        await received
        await friend.upload(PHOTOS / "cat.jpg", "A cat")
        await line_with(process, "feed photo.new")


async def test_the_tutorial_works(stage: Stage) -> None:
    """The tutorial's client in Python shows the photo that the tutorial's second script uploads."""
    sign_up, upload = [block for block in blocks("docs/tutorial.md", "sh") if block.reason is None]
    assert "Ben follows Ann" in await output_of(sign_up, stage)
    async with running(blocks("docs/tutorial.md", "python")[0], stage) as process:
        await line_with(process, "subscribed to feed")
        await output_of(upload, stage)
        assert "Off it goes" in await line_with(process, "photo.new")
