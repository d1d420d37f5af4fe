"""Sending of webhooks: attempts and their results, fairness, leases, and what a kill at any moment leaves."""

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
from storage.ids import encode
from storage.models import User
from storage.postgres.database import Database, Transaction
from storage.stores.webhooks import webhook_attempts, webhook_claims, webhook_deliveries, webhook_endpoints
from storage.webhooks import Endpoint, EndpointHealth, EndpointState
from tests.support.community import new_user, new_users, ready_photo
from tests.support.eventually import eventually
from tests.support.webhooks import Message, WebhookScene, answer, hang, response
from workers.jobs.webhooks.webhook_sending import PER_ENDPOINT
from workers.webhooks.port import Response, SendError
from workers.webhooks.schedule import DELAYS, MAX_ATTEMPTS
from workers.webhooks.signing import Scheme, new_secret

pytestmark = pytest.mark.engines

HOST = "hooks.example.org"
EVENTS = PER_ENDPOINT + 4


@pytest.fixture
def scene(database: Database) -> WebhookScene:
    """The worker, and receivers in memory."""
    return WebhookScene(database)


@pytest.fixture
async def ada(database: Database) -> User:
    """A user with webhooks."""
    return await new_user(database, "ada")


async def events(scene: WebhookScene, owner: User, number: int = 1) -> list[str]:
    """Let events of a user happen; return the ids of their messages."""
    photo = await ready_photo(scene.database, owner)
    return [await scene.handle(PhotoReady(photo_id=photo.id, author_id=owner.id)) for _ in range(number)]


async def test_failed_attempts_follow_the_schedule_and_keep_the_id(scene: WebhookScene, ada: User) -> None:
    """Ten attempts over 75 hours and a half, all with the same id, each with its own time; then it has failed."""
    endpoint = await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(500)
    (sent,) = await events(scene, ada)
    for number, delay in enumerate(DELAYS, 1):
        await scene.send()
        assert len(scene.receivers.messages) == number
        wait = await scene.database.fetchval("SELECT next_at - now() FROM webhook_deliveries")
        assert timedelta(seconds=delay - 5) < wait <= timedelta(seconds=delay)
        await scene.advance(timedelta(seconds=delay))
    await scene.send()
    assert scene.receivers.ids(HOST) == [sent] * MAX_ATTEMPTS
    assert await scene.states(endpoint) == ["failed"]
    assert scene.metrics.attempts == ["failed"] * MAX_ATTEMPTS
    assert scene.metrics.ended == ["failed"]


async def test_an_attempt_is_logged_with_headers_response_and_duration(scene: WebhookScene, ada: User) -> None:
    """The owner finds what was sent and what came back, and sees it live."""
    endpoint = await scene.endpoint(ada, HOST)

    async def respond(_: Message) -> Response:
        return response(503, b"busy\0" + b"x" * 9_000)

    scene.receivers.by_host[HOST] = respond
    (sent,) = await events(scene, ada)
    await scene.send()
    (attempt,) = await webhook_attempts.page(scene.database, endpoint.id, before=None, limit=10)
    assert (attempt.number, attempt.type, attempt.outcome, attempt.status) == (1, "photo.ready", "failed", 503)
    assert attempt.error == "The receiver has responded with status 503."
    assert attempt.response.startswith("busy")
    assert len(attempt.response.encode()) <= 2_048 + 3
    assert attempt.request_headers["webhook-id"] == sent
    assert attempt.request_headers["webhook-signature"].startswith("v1,")
    assert attempt.milliseconds >= 0
    ((topic, document),) = scene.published.documents
    assert topic == f"webhook:{encode(endpoint.id)}"
    assert (document["type"], document["state"]) == ("webhook.attempt", "active")
    assert document["attempt"]["id"] == encode(attempt.id)
    assert document["attempt"]["message_id"] == sent


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500, 502, 504])
async def test_every_status_but_2xx_is_a_failure(scene: WebhookScene, ada: User, status: int) -> None:
    """Redirects, too, which are not followed."""
    endpoint = await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(status, location="https://other.example.org/")
    await events(scene, ada)
    await scene.send()
    assert await scene.states(endpoint) == ["waiting"]
    assert len(scene.receivers.messages) == 1
    assert (await scene.current(endpoint)).health.failures == 1


async def test_an_attempt_without_a_response_is_a_failure(scene: WebhookScene, ada: User) -> None:
    """The log has the reason, and no status."""
    endpoint = await scene.endpoint(ada, HOST)

    async def respond(_: Message) -> SendError:
        return SendError("No connection: refused.")

    scene.receivers.by_host[HOST] = respond
    await events(scene, ada)
    await scene.send()
    (attempt,) = await webhook_attempts.page(scene.database, endpoint.id, before=None, limit=10)
    assert (attempt.status, attempt.error) == (None, "No connection: refused.")


@pytest.mark.parametrize(("asked", "seconds"), [("120", 120), ("1", 5), ("999999999", 86_400)])
async def test_retry_after_lengthens_the_delay_within_bounds(
    scene: WebhookScene, ada: User, asked: str, seconds: int
) -> None:
    """A receiver can ask for more time, up to a day, and not for less."""
    await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(429, retry_after=asked)
    await events(scene, ada)
    await scene.send()
    wait = await scene.database.fetchval("SELECT next_at - now() FROM webhook_deliveries")
    assert timedelta(seconds=seconds - 5) < wait <= timedelta(seconds=seconds)


async def test_410_ends_the_delivery_and_disables_the_endpoint_with_notice(scene: WebhookScene, ada: User) -> None:
    """The receiver wants no more messages; its owner is notified and can verify the endpoint again."""
    endpoint = await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(410)
    await events(scene, ada)
    await scene.send()
    now = await scene.current(endpoint)
    assert now.state is EndpointState.DISABLED
    assert "410" in (now.reason or "")
    assert await scene.states(endpoint) == ["failed"]
    noticed = await scene.database.fetch("SELECT DISTINCT event_id FROM outbox WHERE topic = 'webhook.noticed'")
    assert len(noticed) == 1
    await events(scene, ada)
    await scene.send()
    assert len(scene.receivers.messages) == 1


async def fail(scene: WebhookScene, owner: User, endpoint: Endpoint, failures: int) -> None:
    """Fail with so many messages in a row, as fast as circuits allow."""
    scene.receivers.by_host[HOST] = answer(500)
    while (await scene.current(endpoint)).health.failures < failures:
        await events(scene, owner)
        await scene.send()
        await scene.advance(timedelta(seconds=61))


async def test_ten_failures_in_a_row_open_the_circuit_for_a_minute(scene: WebhookScene, ada: User) -> None:
    """Waiting deliveries are not attempted meanwhile; then one is, and a success lets all others follow."""
    endpoint = await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(500)
    await events(scene, ada, 30)
    await scene.send()
    tried = len(scene.receivers.messages)
    # Those that were on their way when the circuit opened have ended, too.
    assert 10 <= tried < 10 + PER_ENDPOINT
    assert await scene.database.fetchval("SELECT count(*) FROM webhook_deliveries WHERE attempts = 0") == 30 - tried
    async with scene.sending():
        await eventually(lambda: scene.metrics.circuits_open == 1)
    assert len(scene.receivers.messages) == tried
    await scene.advance(timedelta(seconds=61))
    assert await webhook_deliveries.open_circuits(scene.database) == 0
    await scene.send()
    assert len(scene.receivers.messages) == tried + 1
    scene.receivers.by_host.clear()
    await scene.advance(timedelta(seconds=61))
    await scene.send()
    assert await scene.states(endpoint) == ["done"] * 30
    assert (await scene.current(endpoint)).health == EndpointHealth()


async def test_an_endpoint_is_disabled_after_five_days_and_twenty_failures(scene: WebhookScene, ada: User) -> None:
    """Neither is enough alone; the owner is warned after an hour, and notified at the end."""
    endpoint = await scene.endpoint(ada, HOST)
    await fail(scene, ada, endpoint, 20)
    assert (await scene.current(endpoint)).state is EndpointState.ACTIVE
    await scene.advance(timedelta(hours=1))
    await fail(scene, ada, endpoint, 21)
    notices = "SELECT count(DISTINCT event_id) FROM outbox WHERE topic = 'webhook.noticed'"
    assert await scene.database.fetchval(notices) == 1
    await fail(scene, ada, endpoint, 22)
    assert await scene.database.fetchval(notices) == 1
    await scene.advance(timedelta(days=5))
    await events(scene, ada)
    await scene.send()
    now = await scene.current(endpoint)
    assert now.state is EndpointState.DISABLED
    assert "five days" in (now.reason or "")
    assert await scene.database.fetchval(notices) == 2


async def test_few_failures_in_many_days_do_not_disable(scene: WebhookScene, ada: User) -> None:
    """An endpoint that gets few events is not disabled by two of them."""
    endpoint = await scene.endpoint(ada, HOST)
    await fail(scene, ada, endpoint, 1)
    await scene.advance(timedelta(days=6))
    await fail(scene, ada, endpoint, 3)
    assert (await scene.current(endpoint)).state is EndpointState.ACTIVE


async def test_a_message_is_signed_by_both_secrets_for_a_day_after_a_rotation(scene: WebhookScene, ada: User) -> None:
    """The receiver can change its secret at any time of the day."""
    endpoint = await scene.endpoint(ada, HOST)
    old, new = endpoint.secrets[0], new_secret(Scheme.HMAC)
    async with scene.database.transaction() as tx:
        await webhook_endpoints.replace_secret(tx, endpoint.id, owner_id=ada.id, secret=new)
    await events(scene, ada)
    await scene.send()
    (message,) = scene.receivers.messages
    assert message.verify(old) == message.verify(new)
    await scene.advance(timedelta(hours=25))
    await events(scene, ada)
    await scene.send()
    last = scene.receivers.messages[-1]
    assert len(last.headers["webhook-signature"].split()) == 1
    assert last.verify(new)


async def test_a_ping_activates_an_endpoint_that_returns_the_challenge(scene: WebhookScene, ada: User) -> None:
    """As JSON or as text; without it, the endpoint stays as it is, and the ping is not repeated."""
    endpoint = await scene.endpoint(ada, HOST, active=False)
    scene.receivers.by_host[HOST] = answer(204)
    await scene.ping(endpoint)
    await scene.send()
    assert (await scene.current(endpoint)).state is EndpointState.UNVERIFIED
    assert await scene.states(endpoint) == ["failed"]
    (attempt,) = await webhook_attempts.page(scene.database, endpoint.id, before=None, limit=10)
    assert "challenge" in (attempt.error or "")

    async def echo(message: Message) -> Response:
        return response(200, message.document["data"]["challenge"].encode())

    scene.receivers.by_host[HOST] = echo
    await scene.ping(endpoint)
    await scene.send()
    assert (await scene.current(endpoint)).state is EndpointState.ACTIVE
    assert scene.receivers.messages[-1].document["data"]["endpoint_id"] == encode(endpoint.id)


async def test_a_disabled_endpoint_that_is_verified_again_gets_what_has_waited(scene: WebhookScene, ada: User) -> None:
    """What was stored before it was disabled is not lost."""
    endpoint = await scene.endpoint(ada, HOST)
    sent = await events(scene, ada, 2)
    async with scene.database.transaction() as tx:
        await webhook_endpoints.edit(tx, endpoint.id, owner_id=ada.id, state=EndpointState.DISABLED)
    await scene.send()
    assert scene.receivers.messages == []
    await scene.ping(endpoint)
    await scene.send()
    assert sorted(scene.receivers.ids(HOST)[1:]) == sorted(sent)


async def test_a_ping_is_sent_while_the_circuit_is_open(scene: WebhookScene, ada: User) -> None:
    """Its success closes the circuit at once."""
    endpoint = await scene.endpoint(ada, HOST)
    await fail(scene, ada, endpoint, 10)
    await events(scene, ada)
    await scene.send()
    scene.receivers.by_host.clear()
    await scene.ping(endpoint)
    await scene.send()
    assert (await scene.current(endpoint)).health == EndpointHealth()


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
            await events(scene, user, 3)
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
        await events(scene, user, 2)
    async with scene.sending(in_flight=PER_ENDPOINT):
        await eventually(lambda: scene.receivers.messages)
        (sent,) = await events(scene, users[-1])
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
    sent = await events(scene, ada, 3 * PER_ENDPOINT)
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


async def test_a_delivery_whose_worker_was_killed_is_due_after_its_lease(scene: WebhookScene, ada: User) -> None:
    """Not before: the message may still be on its way."""
    await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = hang
    (sent,) = await events(scene, ada)
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
    (sent,) = await events(scene, ada)
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
    await events(scene, ada)
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
        (sent,) = await events(scene, ada)
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
    await events(scene, ada)  # between `take` and `claim`: it is found by the claim, or due again
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
        storing = asyncio.create_task(events(scene, ada))
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

    (sent,) = await events(scene, ada)
    async with scene.sending(database=Flaky(scene.database, 7)):
        await eventually(lambda: scene.receivers.messages)
    assert set(scene.receivers.ids(HOST)) == {sent}


async def test_a_message_that_cannot_be_built_fails_and_harms_no_other(scene: WebhookScene, ada: User) -> None:
    """A defect in one payload is logged, and counted as a failed attempt."""
    endpoint = await scene.endpoint(ada, HOST)
    (good,) = await events(scene, ada)
    await scene.handle(PhotoReady(photo_id=1, author_id=ada.id))
    await scene.database.fetch(
        "UPDATE webhook_deliveries SET event = '{}' WHERE event ->> 'photo_id' = '1' RETURNING 1"
    )
    await scene.send()
    assert scene.receivers.ids(HOST) == [good]
    assert sorted(await scene.states(endpoint)) == ["done", "waiting"]
    (failed, _) = sorted(
        await webhook_attempts.page(scene.database, endpoint.id, before=None, limit=10),
        key=lambda each: each.outcome,
        reverse=True,
    )
    assert "defect" in (failed.error or "")
