"""The receiver of the documentation: a process of its own, to which the worker sends over sockets."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any, cast

import aiohttp
import pytest

from channels.bus.publisher import LivePublisher
from storage.events import PhotoReady
from storage.postgres.database import Database
from storage.stores.webhooks import webhook_attempts
from storage.webhooks import EndpointState
from tests.engines.private import free_port
from tests.support.community import new_user, ready_photo
from tests.support.documents import blocks
from tests.support.eventually import eventually
from tests.support.webhooks import WebhookScene
from workers.jobs.webhooks.webhook_payloads import PayloadBuilder
from workers.jobs.webhooks.webhook_sending import WebhookSending
from workers.outbound.client import OutboundClient
from workers.outbound.policy import OutboundPolicy
from workers.webhooks.sending import OutboundSender
from workers.webhooks.signing import Scheme, new_secret, signed_headers

pytestmark = pytest.mark.engines

BODY = b'{"type": "photo.ready", "data": {}}'


@asynccontextmanager
async def receiver(secret: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Run the documented program; yield its URL, and the lines that it prints."""
    (program,) = blocks("docs/webhook-receiver.md", "python")
    port, lines = free_port(), list[str]()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program.text,
        str(port),
        env={"WEBHOOK_SECRET": secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output = process.stdout
    assert output is not None

    async def read() -> None:
        while line := await output.readline():
            lines.append(line.decode().strip())

    reading = asyncio.create_task(read())

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(listens)
        yield f"http://127.0.0.1:{port}/", lines
    finally:
        process.kill()
        await process.wait()
        await reading


def test_the_receiver_has_thirty_lines() -> None:
    """The documentation says so, and it is meant to be copied."""
    (program,) = blocks("docs/webhook-receiver.md", "python")
    assert len(program.text.splitlines()) <= 30


async def test_the_receiver_accepts_what_the_worker_sends(database: Database) -> None:
    """It returns the challenge of the ping, and prints the id and type of each message."""
    scene, ada = WebhookScene(database), await new_user(database, "ada")
    endpoint = await scene.endpoint(ada, "unused.example.org", active=False)
    async with receiver(endpoint.secrets[0]) as (url, lines):
        await database.fetch("UPDATE webhook_endpoints SET url = $1 RETURNING 1", url)
        port = int(url.rpartition(":")[2].strip("/"))
        policy = OutboundPolicy(
            schemes=frozenset({"http"}), ports=frozenset({port}), allowed_networks=(ip_network("127.0.0.1/32"),)
        )
        async with OutboundClient(policy, name="webhooks") as client:
            sending = WebhookSending(
                database,
                OutboundSender(client),
                PayloadBuilder(database, public_url="https://photos.example.com"),
                cast(LivePublisher, scene.published),
                poll=0.02,
            )
            task = asyncio.create_task(sending.run())
            try:
                await scene.ping(endpoint)

                async def is_active() -> bool:
                    return (await scene.current(endpoint)).state is EndpointState.ACTIVE

                await eventually(is_active)
                photo = await ready_photo(database, ada)
                sent = await scene.handle(PhotoReady(photo_id=photo.id, author_id=ada.id))
                await eventually(lambda: f"{sent} photo.ready" in lines)

                async def attempts() -> Any:
                    found = await webhook_attempts.page(database, endpoint.id, before=None, limit=10)
                    return found if len(found) == 2 else None

                assert [one.status for one in await eventually(attempts)] == [200, 200]
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("age", "body", "change", "status"),
    [
        (0, BODY, {}, 200),
        (270, BODY, {}, 200),
        (-270, BODY, {}, 200),
        (310, BODY, {}, 401),
        (-330, BODY, {}, 401),
        (0, BODY + b" ", {}, 401),
        (0, BODY, {"webhook-id": "msg_2"}, 401),
        (0, BODY, {"webhook-timestamp": "another"}, 401),
        (0, BODY, {"webhook-timestamp": "now"}, 401),
        (0, BODY, {"webhook-signature": "v1,AAAA"}, 401),
        (0, BODY, {"webhook-signature": ""}, 401),
        (0, BODY, {"webhook-signature": "v1,%%% v2"}, 401),
    ],
)
async def test_the_receiver_refuses_what_is_changed_or_old(
    age: int, body: bytes, change: Mapping[str, str], status: int
) -> None:
    """More than five minutes old, or with another body, id, time or signature."""
    secret = new_secret(Scheme.HMAC)
    second = int(time.time()) - age
    headers = signed_headers([secret, new_secret(Scheme.HMAC)], BODY, message="msg_1", second=second)
    if change.get("webhook-timestamp") == "another":
        change = {"webhook-timestamp": str(second + 1)}
    async with (
        receiver(secret) as (url, _),
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={**headers, **change}) as response,
    ):
        assert response.status == status
