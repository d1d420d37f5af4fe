"""Sending of webhooks to many endpoints: none of them takes what others need."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from storage.models import User
from storage.stores.webhooks import webhook_deliveries
from tests.support.community import new_users
from tests.support.eventually import eventually
from tests.support.webhooks import Message, WebhookScene, hang, response
from workers.jobs.webhooks.webhook_sending import PER_ENDPOINT
from workers.webhooks.port import Response

pytestmark = pytest.mark.engines

HOST = "hooks.example.org"


async def test_an_endpoint_that_hangs_with_very_many_deliveries_delays_no_other(scene: WebhookScene) -> None:
    """Others' messages are sent at once, and the one that hangs has only its share on the way."""
    hanging, *others = await new_users(scene.database, "hanging", *(f"user{number}" for number in range(20)))
    stuck = await scene.endpoint(hanging, "hanging.example.org")
    scene.receivers.by_host["hanging.example.org"] = hang
    await scene.database.fetch(
        """
        INSERT INTO webhook_deliveries
            (shard, endpoint_id, event_id, owner_id, type, subject_id, event, occurred_at, next_at)
        SELECT e.shard, e.id, gen_random_uuid(), e.owner_id, 'photo.deleted', n,
            jsonb_build_object('photo_id', n, 'author_id', e.owner_id), now() - interval '1 hour',
            now() - interval '1 hour'
        FROM webhook_endpoints e, generate_series(1, 20000) AS n RETURNING 1"""
    )
    await webhook_deliveries.wake(scene.database, [stuck.id])
    async with scene.sending(in_flight=2 * PER_ENDPOINT):
        await eventually(lambda: len(scene.receivers.of("hanging.example.org")) == PER_ENDPOINT)
        for user in others:
            await scene.endpoint(user, f"{user.username}.example.org")
        expected = Counter({f"{user.username}.example.org": 3 for user in others})
        for user in others:
            await scene.events(user, 3)
        await eventually(
            lambda: Counter(m.host for m in scene.receivers.messages if m.host != "hanging.example.org") == expected,
            within=20.0,
        )
    assert len(scene.receivers.of("hanging.example.org")) == PER_ENDPOINT


async def test_endpoints_that_keep_failing_take_no_room_from_others(scene: WebhookScene) -> None:
    """However many of them hang at their probes, there is room for an endpoint that works."""
    users = await new_users(scene.database, "one", "two", "three", "good")
    *failing, _ = [await scene.endpoint(user, f"{user.username}.example.org") for user in users]
    await scene.database.fetch(
        "UPDATE webhook_endpoints SET failures = 10, failing_since = now() WHERE id = ANY($1::bigint[]) RETURNING 1",
        [endpoint.id for endpoint in failing],
    )
    for user in users[:-1]:
        scene.receivers.by_host[f"{user.username}.example.org"] = hang
        await scene.events(user, 2)
    async with scene.sending(in_flight=PER_ENDPOINT):
        await eventually(lambda: scene.receivers.messages)
        (sent,) = await scene.events(users[-1])
        await eventually(lambda: scene.receivers.ids("good.example.org") == [sent])
    assert max(Counter(message.host for message in scene.receivers.messages).values()) == 1


async def test_two_processes_keep_the_limit_of_an_endpoint_together(scene: WebhookScene, ada: User) -> None:
    """However many processes send, an endpoint has so many messages on their way, and gets each once."""
    endpoint = await scene.endpoint(ada, HOST)
    gate, most, under_way = asyncio.Semaphore(0), 0, 0

    async def respond(_: Message) -> Response:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await gate.acquire()
        under_way -= 1
        return response()

    scene.receivers.by_host[HOST] = respond
    sent = await scene.events(ada, 3 * PER_ENDPOINT)
    async with scene.sending(), scene.sending():
        for number in range(1, len(sent) + 1):
            # One at a time, so that each makes room for one alone.
            expected = min(PER_ENDPOINT, len(sent) - number + 1)
            await eventually(lambda expected=expected: under_way == expected)  # type: ignore[misc]
            gate.release()

            async def is_done(number: int = number) -> bool:
                return (await scene.states(endpoint)).count("done") == number

            await eventually(is_done)
    assert most == PER_ENDPOINT
    assert sorted(scene.receivers.ids(HOST)) == sorted(sent)
