"""The unmodified npm packages graphql-ws and graphql-sse against the application with live connections."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices
from tests.support.api_user import ApiUser
from tests.support.eventually import DEADLINE, eventually
from tests.support.live_api import notify, running_live_api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

SCRIPT = Path(__file__).parents[3] / "sdk" / "graphql_client.mjs"
NOTIFICATIONS = """
subscription ($since: StreamPositionInput) {
  notifications(since: $since) { ... on NotificationAdded { photoId notification { kind actors { id } } } }
}
"""
PHOTO = "subscription ($id: ID!) { photo(id: $id) { ... on PhotoCounted { photoId likeCount } } }"


@pytest.fixture
async def api(services: InspectableServices, redis: Redis) -> AsyncIterator[Api]:
    """A running API with live connections."""
    async with running_live_api(services, redis) as running:
        yield running


class Client:
    """A client of a package, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self) -> Any:
        """Return the next result."""
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def subscribed(api: Api, user: ApiUser, protocol: str, query: str, **variables: Any) -> AsyncIterator[Client]:
    """Run a client inside the block; it may not have subscribed yet."""
    node = shutil.which("node")
    if node is None or not (SCRIPT.parent / "node_modules" / f"graphql-{protocol}").is_dir():
        pytest.skip(f"graphql-{protocol} is missing; tests/install-engines installs it")
    arguments = [str(SCRIPT), protocol, f"{api.url}/graphql", user.token, query, json.dumps(variables)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(node, *arguments, stdin=pipe, stdout=pipe)
    try:
        yield Client(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(DEADLINE):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()


@pytest.mark.parametrize("protocol", ["ws", "sse"])
async def test_a_client_receives_events_and_the_end_of_its_permission(api: Api, protocol: str) -> None:
    """A like arrives with the counters, a block completes the subscription."""
    ann, bob, cat = await api.user(), await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    node_id = f"P-{photo['id']}"
    async with subscribed(api, bob, protocol, PHOTO, id=node_id) as client:
        live = api.services.live
        assert live is not None
        await eventually(lambda: any(connection.channels for connection in live.hub.all_connections()))
        (await cat.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
        await notify(api)
        assert await client.next() == {"data": {"photo": {"photoId": node_id, "likeCount": 1}}}
        (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
        assert await client.next() == "complete"


@pytest.mark.parametrize("protocol", ["ws", "sse"])
async def test_a_client_continues_from_a_position(api: Api, protocol: str) -> None:
    """What was missed comes first, with the position of each event."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    page = (await ann.call("GET", "/notifications")).expect(200)
    since = {"epoch": page["stream"]["epoch"], "offset": page["stream"]["offset"]}
    (await bob.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    await notify(api)
    async with subscribed(api, ann, protocol, NOTIFICATIONS, since=since) as client:
        result = await client.next()
    event = result["data"]["notifications"]
    assert event["photoId"] == f"P-{photo['id']}"
    assert event["notification"] == {"kind": "LIKE", "actors": [{"id": f"U-{bob.id}"}]}
    position = result["extensions"]["position"]
    assert position["epoch"] == since["epoch"]
    assert position["offset"] > since["offset"]


async def test_a_refused_document_and_a_missing_session(api: Api) -> None:
    """Errors of the document are one result; without a session the stream is refused, and the socket closed."""
    ann = await api.user()
    async with subscribed(api, ann, "sse", "subscription { feed { ... on PhotoAdded { photo { saved } } } }") as client:
        assert (await client.next())["errors"][0]["extensions"]["code"] == "not_in_event"
        assert await client.next() == "complete"
    headers = {"Accept": "text/event-stream"}
    async with api.session.post(f"{api.url}/graphql", json={"query": PHOTO}, headers=headers) as response:
        assert response.status == 401
    url = f"{api.url}/graphql"
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await api.session.ws_connect(url, origin="https://attacker.example", protocols=["graphql-transport-ws"])
    assert caught.value.status == 403
    async with api.session.ws_connect(url, protocols=["graphql-transport-ws"]) as socket:
        await socket.send_json({"type": "connection_init"})
        await socket.receive()
        assert socket.close_code == 4403
