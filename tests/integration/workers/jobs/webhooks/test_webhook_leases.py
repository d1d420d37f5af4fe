"""Leases of deliveries: what a kill at any moment, and changes while a message is on its way, leave."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from storage.errors import UnavailableError
from storage.events import PhotoReady
from storage.models import User
from storage.postgres.database import Database, Transaction
from storage.stores.webhooks import webhook_attempts, webhook_claims, webhook_deliveries, webhook_endpoints
from storage.webhooks import EndpointHealth, EndpointState
from tests.support.community import ready_photo
from tests.support.eventually import eventually
from tests.support.webhooks import Message, WebhookScene, hang, response
from workers.jobs.webhooks.webhook_sending import PER_ENDPOINT
from workers.webhooks.port import Response
from workers.webhooks.signing import Scheme, new_secret

pytestmark = pytest.mark.engines

HOST = "hooks.example.org"


async def test_a_delivery_whose_worker_was_killed_is_due_after_its_lease(scene: WebhookScene, ada: User) -> None:
    """Not before: the message may still be on its way."""
    await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = hang
    (sent,) = await scene.events(ada)
    async with scene.sending():
        await eventually(lambda: scene.receivers.messages)
    scene.receivers.by_host.clear()
    await scene.send()
    assert scene.receivers.ids(HOST) == [sent]
    await scene.advance(webhook_claims.LEASE)
    await scene.send()
    assert scene.receivers.ids(HOST) == [sent, sent]
    assert await scene.database.fetchval("SELECT state || ' ' || attempts FROM webhook_deliveries") == "done 1"


async def test_changes_of_an_endpoint_while_a_message_is_on_its_way(scene: WebhookScene, ada: User) -> None:
    """A deleted one gets no log entry and no error; a paused one stays paused, and a new secret signs the next one.

    Also a paused one whose receiver wants no more messages: that disables it with the next attempt, once it is active.
    """
    gate, hosts = asyncio.Event(), ("deleted.example.org", "paused.example.org", "rotated.example.org")

    async def respond(message: Message) -> Response:
        await gate.wait()
        return response(410 if message.host == hosts[1] else 500)

    deleted, paused, rotated = [await scene.endpoint(ada, host) for host in hosts]
    scene.receivers.by_host = dict.fromkeys(hosts, respond)
    (sent,) = await scene.events(ada)
    async with scene.sending():
        await eventually(lambda: len(scene.receivers.messages) == len(hosts))
        async with scene.database.transaction() as tx:
            await webhook_endpoints.delete(tx, deleted.id, owner_id=ada.id)
            await webhook_endpoints.edit(tx, paused.id, owner_id=ada.id, state=EndpointState.PAUSED)
            secret = new_secret(Scheme.HMAC)
            await webhook_endpoints.replace_secret(tx, rotated.id, owner_id=ada.id, secret=secret)
        gate.set()
        await eventually(lambda: sorted(scene.metrics.attempts) == ["failed", "gone"])
    scene.receivers.by_host.clear()
    await scene.advance(timedelta(minutes=1))
    await scene.send()
    assert await webhook_attempts.page(scene.database, deleted.id, before=None, limit=10) == []
    assert (await scene.current(paused)).state is EndpointState.PAUSED
    assert Counter(message.host for message in scene.receivers.messages) == Counter(
        {"deleted.example.org": 1, "paused.example.org": 1, "rotated.example.org": 2}
    )
    last = scene.receivers.messages[-1]
    assert last.id == sent
    assert last.verify(secret) == last.verify(rotated.secrets[0])


async def test_a_success_counts_although_its_lease_has_expired(scene: WebhookScene, ada: User) -> None:
    """A failure does not then: another worker has the delivery, and decides."""
    endpoint = await scene.endpoint(ada, HOST)
    gates = [asyncio.Event(), asyncio.Event()]
    statuses = iter((500, 204))

    async def respond(_: Message) -> Response:
        place = len(scene.receivers.messages) - 1
        status = next(statuses)
        await gates[place].wait()
        return response(status)

    scene.receivers.by_host[HOST] = respond
    await scene.events(ada)
    async with scene.sending():
        await eventually(lambda: len(scene.receivers.messages) == 1)
        await scene.advance(webhook_claims.LEASE)
        await eventually(lambda: len(scene.receivers.messages) == 2)
        gates[0].set()
        await eventually(lambda: scene.metrics.attempts == ["failed"])
        assert await scene.database.fetchval("SELECT leased_until > now() FROM webhook_deliveries")
        await scene.advance(webhook_claims.LEASE)
        scene.receivers.by_host[HOST] = hang
        await eventually(lambda: len(scene.receivers.messages) == 3)
        gates[1].set()
        await eventually(lambda: "delivered" in scene.metrics.attempts)
        assert await scene.states(endpoint) == ["done"]


class Killed(BaseException):
    """The process is killed."""


class Mortal(Database):
    """A database whose process is killed before or after the n-th statement outside of, or commit of, a transaction."""

    def __init__(self, database: Database, fatal: int) -> None:
        self.__dict__.update(database.__dict__)
        self._fatal = fatal
        self.steps = 0

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._fatal:
            raise Killed

    @asynccontextmanager
    async def transaction(self, lock: Any = None, *, repeated: bool = False) -> AsyncIterator[Transaction]:
        """Open a transaction; the kill is before its commit, or after."""
        async with super().transaction(lock, repeated=repeated) as tx:
            yield tx
            self._step()
        self._step()

    async def fetch(self, sql: str, *args: object) -> Any:
        """Return rows; the kill is before the statement, or after."""
        self._step()
        rows = await super().fetch(sql, *args)
        self._step()
        return rows


async def test_a_kill_between_any_two_steps_of_storing_loses_no_event(scene: WebhookScene, ada: User) -> None:
    """The queue delivers the event again, with the same id, and the message is sent once."""
    await scene.endpoint(ada, HOST)
    photo = await ready_photo(scene.database, ada)
    event, kills = PhotoReady(photo_id=photo.id, author_id=ada.id), 0
    for fatal in range(1, 100):
        scene.receivers.messages.clear()
        event_id, mortal = uuid.uuid4(), Mortal(scene.database, fatal)
        scene.handlers = scene.new_handlers(mortal)
        try:
            await scene.handle(event, event_id=event_id)
        except Killed:
            kills += 1
            scene.handlers = scene.new_handlers()
            await scene.handle(event, event_id=event_id)
        await scene.send()
        assert scene.receivers.ids(HOST) == [f"msg_{event_id.hex}"]
        if mortal.steps < fatal:
            break
    assert kills >= 6


async def test_a_kill_between_any_two_steps_of_sending_loses_no_message(scene: WebhookScene, ada: User) -> None:
    """Another process sends the message again, with the same id, once the lease has expired."""
    await scene.endpoint(ada, HOST)
    kills = 0
    for fatal in range(1, 100):
        scene.receivers.messages.clear()
        (sent,) = await scene.events(ada)
        mortal = Mortal(scene.database, fatal)
        sending = scene.new_sending(database=mortal)
        try:
            # One pass of a process, in its order, without the measurement.
            for endpoint_id in await webhook_claims.due(mortal, failing=False, limit=10):
                lane = sending._lanes[False]
                await lane.reserve()
                await sending._serve(lane, endpoint_id)
        except BaseExceptionGroup:
            kills += 1
        except Killed:
            kills += 1
        await scene.send()
        await scene.advance(webhook_claims.LEASE)
        await scene.send()
        assert set(scene.receivers.ids(HOST)) == {sent}
        assert await scene.database.fetchval("SELECT count(*) FROM webhook_deliveries WHERE state <> 'done'") == 0
        if mortal.steps < fatal:
            break
    assert kills >= 8


async def test_no_wake_up_is_lost_between_a_look_and_an_event(scene: WebhookScene, ada: User) -> None:
    """An event whose deliveries are committed at any moment of a worker's look is found."""
    endpoint = await scene.endpoint(ada, HOST)
    db = scene.database

    def everything(_: EndpointHealth) -> int:
        return PER_ENDPOINT

    async def is_found() -> bool:
        return endpoint.id in await webhook_claims.due(db, failing=False, limit=10)

    await webhook_deliveries.wake(db, [endpoint.id])
    async with db.transaction() as tx:
        token = await webhook_claims.take(tx, endpoint.id)
        assert token is not None
        assert await webhook_claims.take(tx, endpoint.id) is None  # another worker has it
    assert not await is_found()
    await scene.events(ada)  # between `take` and `claim`: it is found by the claim, or due again
    async with db.transaction() as tx:
        claim = await webhook_claims.claim(tx, endpoint.id, token, room=everything)
    assert claim is not None
    assert len(claim.deliveries) == 1
    assert await is_found()  # the event has set it, and the claim does not undo that
    async with db.transaction() as tx:
        token = await webhook_claims.take(tx, endpoint.id)
        assert token is not None
    async with db.transaction() as tx:
        claim = await webhook_claims.claim(tx, endpoint.id, token, room=everything)
        assert claim is not None
        assert claim.deliveries == []
        # While the claim is not committed, an event is stored.
        storing = asyncio.create_task(scene.events(ada))
        await eventually(
            lambda: db.fetchval("SELECT count(*) = 2 FROM webhook_deliveries"),
        )
    await storing
    assert await is_found()


async def test_an_outage_of_the_database_costs_no_attempt(scene: WebhookScene, ada: User) -> None:
    """The sender goes on as soon as the database answers."""
    await scene.endpoint(ada, HOST)

    class Flaky(Mortal):
        def _step(self) -> None:
            self.steps += 1
            if self.steps <= self._fatal:
                raise UnavailableError("database", "down")

    (sent,) = await scene.events(ada)
    async with scene.sending(database=Flaky(scene.database, 7)):
        await eventually(lambda: scene.receivers.messages)
    assert set(scene.receivers.ids(HOST)) == {sent}
