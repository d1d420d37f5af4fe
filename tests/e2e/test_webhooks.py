"""The worker "webhooks" as a process of its own: events by RabbitMQ, messages over sockets, and kill -9 in between."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from storage.events import PhotoDeleted
from storage.postgres.database import Database
from storage.stores.webhooks import webhook_claims
from tests.engines.private import free_port
from tests.support.community import new_user
from tests.support.eventually import eventually
from tests.support.service import Service
from tests.support.webhooks import WebhookScene
from workers.broker.routing import relay_of

pytestmark = pytest.mark.engines

WITHIN = 60.0  # seconds; processes start on a busy machine


class Receiver:
    """A receiver that does not respond while it `hangs`."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.hangs = True

    async def handle(self, request: web.Request) -> web.Response:
        """Keep the id of a message."""
        await request.read()
        self.ids.append(request.headers["webhook-id"])
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(status=204)


@pytest.fixture
async def receiver_at() -> AsyncIterator[tuple[Receiver, int]]:
    """A receiver, and its port."""
    receiver, port, app = Receiver(), free_port(), web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield receiver, port
    await runner.cleanup()


async def test_a_message_survives_the_kill_of_the_process_that_sends_it(
    database_dsn: str, valkey_url: str, rabbitmq_url: str, receiver_at: tuple[Receiver, int], tmp_path: Path
) -> None:
    """Another process sends it again, with the same id, as soon as the lease of the first one has expired."""
    receiver, port = receiver_at
    env = {
        "PICSHARE_DATABASE__URL": database_dsn,
        "PICSHARE_REDIS__URL": valkey_url,
        "PICSHARE_BROKER__URL": rabbitmq_url,
        "PICSHARE_BLOBS__URL": f"file:{tmp_path / 'blobs'}",
        "PICSHARE_AUTH__SECRET": uuid.uuid4().hex,
        "PICSHARE_OUTBOUND__ALLOW_HTTP": "true",
        "PICSHARE_OUTBOUND__PORTS": str(port),
        "PICSHARE_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.1/32",
    }
    services = {
        role: Service(["worker", role, "--health-port", str(health)], folder=tmp_path, name=role, port=health, env=env)
        for role, health in (("relay", free_port()), ("webhooks", free_port()))
    }
    database = await Database.connect(database_dsn, routes=relay_of, min_size=1, max_size=2)
    scene = WebhookScene(database)
    ada = await new_user(database, "ada")
    await scene.endpoint(ada, "unused.example.org")
    await database.fetch("UPDATE webhook_endpoints SET url = $1 RETURNING 1", f"http://127.0.0.1:{port}/hook")
    try:
        # One after the other: the queues must exist before anything is published to them.
        await services["webhooks"].start()
        await services["relay"].start()
        async with database.transaction() as tx:
            tx.emit(PhotoDeleted(photo_id=ada.id, author_id=ada.id, sha256=""))
        await eventually(lambda: len(receiver.ids) == 1, within=WITHIN)
        await services["webhooks"].kill()
        receiver.hangs = False
        await scene.advance(webhook_claims.LEASE)
        await services["webhooks"].start()
        await eventually(lambda: len(receiver.ids) == 2, within=WITHIN)

        async def is_done() -> bool:
            row = await database.fetchrow("SELECT state, attempts FROM webhook_deliveries")
            return row is not None and (row["state"], row["attempts"]) == ("done", 1)

        await eventually(is_done, within=WITHIN)
        assert len(set(receiver.ids)) == 1
    finally:
        for service in services.values():
            if service.process is not None and service.process.returncode is None:
                await service.kill()
        await database.close()
