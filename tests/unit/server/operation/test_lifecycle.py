"""The lifecycle of a process: the order of its shutdown, and the failure of a service."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import os
import signal
from functools import partial

import aiohttp
import pytest
from aiohttp import web

from server.edge.protocol import HttpProtocol
from server.errors import StartError
from server.operation.health import Health
from server.operation.lifecycle import Node, ServiceEndedError, ShutdownOptions, run_node
from server.operation.listening import bound
from tests.support.eventually import DEADLINE, eventually

SHUTDOWN = ShutdownOptions(drain_delay=0, shutdown_deadline=5)


class RecordingNode:
    """A node that records the steps of its shutdown."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        self.health = Health({})
        self.url = ""

    def node(self) -> Node:
        """Return the node."""
        app = web.Application()
        app.router.add_get("/slow", self.slow)
        app.router.add_post("/echo", self.echo)
        return Node(health=self.health, app=app, services={"worker": self.worker}, drain=self.drain)

    async def slow(self, _request: web.Request) -> web.Response:
        """Respond when released."""
        self.arrived.set()
        await self.release.wait()
        self.steps.append("request completed")
        return web.Response(text="complete")

    async def echo(self, request: web.Request) -> web.Response:
        """Respond with the body of the request."""
        return web.Response(body=await request.read())

    async def worker(self) -> None:
        """Run until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            self.steps.append("worker cancelled")

    async def drain(self) -> None:
        """Record whether connections are accepted during the drain, then release the slow request."""
        async with aiohttp.ClientSession() as session:
            try:
                await session.get(f"{self.url}/slow")
            except aiohttp.ClientConnectorError:
                self.steps.append("no longer accepting")
        self.steps.append(f"drained, draining={self.health.draining}")
        self.release.set()


@pytest.fixture
async def recording() -> RecordingNode:
    """A node that records its shutdown."""
    return RecordingNode()


async def test_compressed_bodies_are_not_decompressed(recording: RecordingNode) -> None:
    """The server does not decompress a gzip body, so a decompression bomb costs no more than its own bytes."""
    packed = gzip.compress(bytes(1_000_000))
    with bound("127.0.0.1", 0) as sockets:
        recording.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        running = asyncio.create_task(run_node(recording.node(), sockets, SHUTDOWN))
        await eventually(lambda: recording.health.started)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{recording.url}/echo", data=packed, headers={"Content-Encoding": "gzip"}) as response,
        ):
            assert await response.read() == packed
        recording.release.set()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, DEADLINE)


async def test_an_incomplete_request_is_closed_after_the_idle_timeout(recording: RecordingNode) -> None:
    """A connection without a complete request is closed, even if bytes keep arriving."""
    with bound("127.0.0.1", 0) as sockets:
        node = dataclasses.replace(recording.node(), idle_timeout=0.3)
        running = asyncio.create_task(run_node(node, sockets, SHUTDOWN))
        await eventually(lambda: recording.health.started)
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.write(b"GET /slow HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"A: b\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(DEADLINE):
            assert await reader.read() == b""
        dripping.cancel()
        writer.close()
        recording.release.set()
        recording.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, DEADLINE)


async def test_kept_connections_get_a_last_response(recording: RecordingNode) -> None:
    """A request on a connection of before, sent when nothing is accepted any more, is answered and ends it."""
    with bound("127.0.0.1", 0) as sockets:
        address = sockets[0].getsockname()
        recording.url = f"http://127.0.0.1:{address[1]}"
        recording.release.set()
        protocol = partial(HttpProtocol, secure=False, draining=lambda: recording.health.draining)
        node = dataclasses.replace(recording.node(), protocol=protocol, last_requests=60)
        running = asyncio.create_task(run_node(node, sockets, SHUTDOWN))
        await eventually(lambda: recording.health.started)
        reader, writer = await asyncio.open_connection(*address)
        for stopping in (False, True):
            if stopping:
                os.kill(os.getpid(), signal.SIGTERM)
                await eventually(lambda: "no longer accepting" in recording.steps)
            writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert (b"Connection: close" in head) == stopping
            assert await reader.readexactly(8) == b"complete"
        assert await reader.read() == b""
        writer.close()
        # It does not wait for longer than there are connections.
        await asyncio.wait_for(running, 30)


async def test_the_steps_of_a_shutdown_are_in_order(recording: RecordingNode) -> None:
    """Accepting ends, live connections drain, requests in progress finish, then workers are cancelled."""
    with bound("127.0.0.1", 0) as sockets:
        recording.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        running = asyncio.create_task(run_node(recording.node(), sockets, SHUTDOWN))
        await eventually(lambda: recording.health.started)
        async with aiohttp.ClientSession() as session:
            request = asyncio.create_task(session.get(f"{recording.url}/slow"))
            await recording.arrived.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            response = await request
            assert await response.text() == "complete"
        await asyncio.wait_for(running, DEADLINE)
    assert recording.steps == ["no longer accepting", "drained, draining=True", "request completed", "worker cancelled"]


async def test_an_endless_request_is_aborted_at_the_deadline(recording: RecordingNode) -> None:
    """A request in progress delays the shutdown no longer than the deadline."""

    async def no_drain() -> None:
        """Drain nothing, and leave the request unfinished."""

    node = Node(health=recording.health, app=recording.node().app, drain=no_drain)
    with bound("127.0.0.1", 0) as sockets:
        url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/slow"
        running = asyncio.create_task(run_node(node, sockets, ShutdownOptions(drain_delay=0, shutdown_deadline=0.2)))
        await eventually(lambda: recording.health.started)
        async with aiohttp.ClientSession() as session:
            request = asyncio.create_task(session.get(url))
            await recording.arrived.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait_for(running, DEADLINE)
            with pytest.raises(aiohttp.ClientError):
                await request


async def test_a_failing_service_stops_the_rest_and_its_error_comes_out(recording: RecordingNode) -> None:
    """If a service fails, the others are stopped and its own exception is raised, not a group."""

    async def fail() -> None:
        raise LookupError("the reason")

    node = Node(health=recording.health, services={"worker": recording.worker, "broken": fail})
    with pytest.raises(LookupError, match="the reason"):
        await run_node(node, [], SHUTDOWN)
    assert recording.steps == ["worker cancelled"]


async def test_a_port_in_use_since_binding_is_one_sentence(recording: RecordingNode) -> None:
    """If another process listens first on the bound port, the start fails with a `StartError`."""
    with bound("127.0.0.1", 0) as sockets, bound("127.0.0.1", sockets[0].getsockname()[1]) as rivals:
        rivals[0].listen()
        with pytest.raises(StartError, match="Another program has started to use the port"):
            await run_node(recording.node(), sockets, SHUTDOWN)


async def test_a_service_that_returns_is_a_failure(recording: RecordingNode) -> None:
    """A service that ends by itself stops the process, and the error names it."""

    async def end() -> None:
        """Return at once."""

    with pytest.raises(ServiceEndedError, match="quitter ended by itself"):
        await run_node(Node(health=recording.health, services={"quitter": end}), [], SHUTDOWN)


async def test_the_call_after_the_start_may_end_and_is_cancelled_on_shutdown(recording: RecordingNode) -> None:
    """`started` runs concurrently with the services, once they are started, and does not delay a shutdown."""
    seen: list[bool] = []

    async def once() -> None:
        seen.append(recording.health.started)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    node = Node(health=recording.health, services={"worker": recording.worker})
    await asyncio.wait_for(run_node(node, [], SHUTDOWN, started=once), DEADLINE)
    assert seen == [True]
