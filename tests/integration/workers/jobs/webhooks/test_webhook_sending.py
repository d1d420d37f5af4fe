"""Sending of webhooks: attempts and their results, circuits, and endpoints that are disabled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.events import PhotoReady
from storage.ids import encode
from storage.models import User
from storage.stores.webhooks import webhook_attempts, webhook_deliveries, webhook_endpoints
from storage.webhooks import Endpoint, EndpointHealth, EndpointState
from tests.support.eventually import eventually
from tests.support.webhooks import Message, WebhookScene, answer, response
from workers.jobs.webhooks.webhook_sending import PER_ENDPOINT
from workers.webhooks.port import Response, SendError
from workers.webhooks.schedule import DELAYS, MAX_ATTEMPTS
from workers.webhooks.signing import Scheme, new_secret

pytestmark = pytest.mark.engines

HOST = "hooks.example.org"


async def test_failed_attempts_follow_the_schedule_and_keep_the_id(scene: WebhookScene, ada: User) -> None:
    """Ten attempts over 75 hours and a half, all with the same id, each with its own time; then it has failed."""
    endpoint = await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(500)
    (sent,) = await scene.events(ada)
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
    (sent,) = await scene.events(ada)
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
    await scene.events(ada)
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
    await scene.events(ada)
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
    await scene.events(ada)
    await scene.send()
    wait = await scene.database.fetchval("SELECT next_at - now() FROM webhook_deliveries")
    assert timedelta(seconds=seconds - 5) < wait <= timedelta(seconds=seconds)


async def test_410_ends_the_delivery_and_disables_the_endpoint_with_notice(scene: WebhookScene, ada: User) -> None:
    """The receiver wants no more messages; its owner is notified and can verify the endpoint again."""
    endpoint = await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(410)
    await scene.events(ada)
    await scene.send()
    now = await scene.current(endpoint)
    assert now.state is EndpointState.DISABLED
    assert "410" in (now.reason or "")
    assert await scene.states(endpoint) == ["failed"]
    noticed = await scene.database.fetch("SELECT DISTINCT event_id FROM outbox WHERE topic = 'webhook.noticed'")
    assert len(noticed) == 1
    await scene.events(ada)
    await scene.send()
    assert len(scene.receivers.messages) == 1


async def fail(scene: WebhookScene, owner: User, endpoint: Endpoint, failures: int) -> None:
    """Fail with so many messages in a row, as fast as circuits allow."""
    scene.receivers.by_host[HOST] = answer(500)
    while (await scene.current(endpoint)).health.failures < failures:
        await scene.events(owner)
        await scene.send()
        await scene.advance(timedelta(seconds=61))


async def test_ten_failures_in_a_row_open_the_circuit_for_a_minute(scene: WebhookScene, ada: User) -> None:
    """Waiting deliveries are not attempted meanwhile; then one is, and a success lets all others follow."""
    endpoint = await scene.endpoint(ada, HOST)
    scene.receivers.by_host[HOST] = answer(500)
    await scene.events(ada, 30)
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
    await scene.events(ada)
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
    await scene.events(ada)
    await scene.send()
    (message,) = scene.receivers.messages
    assert message.verify(old) == message.verify(new)
    await scene.advance(timedelta(hours=25))
    await scene.events(ada)
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
    sent = await scene.events(ada, 2)
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
    await scene.events(ada)
    await scene.send()
    scene.receivers.by_host.clear()
    await scene.ping(endpoint)
    await scene.send()
    assert (await scene.current(endpoint)).health == EndpointHealth()


async def test_a_message_that_cannot_be_built_fails_and_harms_no_other(scene: WebhookScene, ada: User) -> None:
    """A defect in one payload is logged, and counted as a failed attempt."""
    endpoint = await scene.endpoint(ada, HOST)
    (good,) = await scene.events(ada)
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
