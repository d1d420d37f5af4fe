"""Running and leaving: the order in which a process stops, and what a failing service does to it."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import os
import signal

import aiohttp
import pytest
from aiohttp import web

from server.errors import StartError
from server.operation.health import Health
from server.operation.lifecycle import Node, ServiceEndedError, ShutdownOptions, run_node
from server.operation.listening import bound
from tests.support.eventually import eventually

SHUTDOWN = ShutdownOptions(drain_delay=0, shutdown_deadline=5)


class Stage:
    """A node whose every step of leaving is written down."""

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
        """Answer when released."""
        self.arrived.set()
        await self.release.wait()
        self.steps.append("request answered")
        return web.Response(text="late but whole")

    async def echo(self, request: web.Request) -> web.Response:
        """Answer with the body as it is read."""
        return web.Response(body=await request.read())

    async def worker(self) -> None:
        """Work until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            self.steps.append("worker cancelled")

    async def drain(self) -> None:
        """See what is the case when live connections are drained."""
        async with aiohttp.ClientSession() as session:
            try:
                await session.get(f"{self.url}/slow")
            except aiohttp.ClientConnectorError:
                self.steps.append("no longer accepting")
        self.steps.append(f"drained, draining={self.health.draining}")
        self.release.set()


@pytest.fixture
async def stage() -> Stage:
    """A stage."""
    return Stage()


async def test_packed_bodies_are_not_unpacked(stage: Stage) -> None:
    """A body in gzip is never unpacked by the server, so that a bomb costs no more than its own bytes."""
    packed = gzip.compress(bytes(1_000_000))
    with bound("127.0.0.1", 0) as sockets:
        stage.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        running = asyncio.create_task(run_node(stage.node(), sockets, SHUTDOWN))
        await eventually(lambda: stage.health.started)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{stage.url}/echo", data=packed, headers={"Content-Encoding": "gzip"}) as response,
        ):
            assert await response.read() == packed
        stage.release.set()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 5)


async def test_a_request_that_drips_in_is_not_waited_for(stage: Stage) -> None:
    """A connection whose request does not get complete is closed, however steadily its bytes come."""
    with bound("127.0.0.1", 0) as sockets:
        node = dataclasses.replace(stage.node(), idle=0.3)
        running = asyncio.create_task(run_node(node, sockets, SHUTDOWN))
        await eventually(lambda: stage.health.started)
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.write(b"GET /slow HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"A: b\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(3):
            assert await reader.read() == b""
        dripping.cancel()
        writer.close()
        stage.release.set()
        stage.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 5)


async def test_a_process_leaves_in_order(stage: Stage) -> None:
    """Readiness goes off, accepting ends, live drains, requests in flight finish, then workers are cancelled."""
    with bound("127.0.0.1", 0) as sockets:
        stage.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        running = asyncio.create_task(run_node(stage.node(), sockets, SHUTDOWN))
        await eventually(lambda: stage.health.started)
        async with aiohttp.ClientSession() as session:
            request = asyncio.create_task(session.get(f"{stage.url}/slow"))
            await stage.arrived.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            response = await request
            assert await response.text() == "late but whole"
        await asyncio.wait_for(running, 5)
    assert stage.steps == ["no longer accepting", "drained, draining=True", "request answered", "worker cancelled"]


async def test_a_request_that_never_ends_is_cut_at_the_deadline(stage: Stage) -> None:
    """A request in flight holds the process up no longer than the deadline."""

    async def forget() -> None:
        """Drain nothing and release nobody."""

    node = Node(health=stage.health, app=stage.node().app, drain=forget)
    with bound("127.0.0.1", 0) as sockets:
        url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/slow"
        running = asyncio.create_task(run_node(node, sockets, ShutdownOptions(drain_delay=0, shutdown_deadline=0.2)))
        await eventually(lambda: stage.health.started)
        async with aiohttp.ClientSession() as session:
            request = asyncio.create_task(session.get(url))
            await stage.arrived.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait_for(running, 5)
            with pytest.raises(aiohttp.ClientError):
                await request


async def test_a_failing_service_stops_the_rest_and_its_error_comes_out(stage: Stage) -> None:
    """When one service fails, the others are stopped and its own error is raised, alone."""

    async def fail() -> None:
        raise LookupError("the reason")

    node = Node(health=stage.health, services={"worker": stage.worker, "broken": fail})
    with pytest.raises(LookupError, match="the reason"):
        await run_node(node, [], SHUTDOWN)
    assert stage.steps == ["worker cancelled"]


async def test_a_port_that_was_taken_meanwhile_is_one_sentence(stage: Stage) -> None:
    """Who binds first and listens last is told that the port is taken, without a trace."""
    with bound("127.0.0.1", 0) as sockets, bound("127.0.0.1", sockets[0].getsockname()[1]) as rivals:
        rivals[0].listen()
        with pytest.raises(StartError, match="taken by another program"):
            await run_node(stage.node(), sockets, SHUTDOWN)


async def test_a_service_that_returns_is_a_failure(stage: Stage) -> None:
    """A service that ends by itself is named and ends the process: nobody would do its work."""

    async def end() -> None:
        """Return at once."""

    with pytest.raises(ServiceEndedError, match="quitter ended by itself"):
        await run_node(Node(health=stage.health, services={"quitter": end}), [], SHUTDOWN)


async def test_what_runs_after_the_start_may_end_and_is_cancelled_at_the_end(stage: Stage) -> None:
    """What is to be done once everything answers runs beside the services, ends freely and delays no stop."""
    seen: list[bool] = []

    async def once() -> None:
        seen.append(stage.health.started)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    node = Node(health=stage.health, services={"worker": stage.worker})
    await asyncio.wait_for(run_node(node, [], SHUTDOWN, started=once), 5)
    assert seen == [True]
