"""The sender and a push service on the loopback interface: the fields of a message, and what each response means."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from storage.circuit import CircuitState
from storage.push import AppPush, PushPolicy, PushSubscription
from tests.support.push import CONTACT, HOST, LOOPBACK, PushService, running_push_service
from workers.outbound.circuits import CircuitRegistry
from workers.outbound.client import OutboundClient
from workers.outbound.policy import OutboundPolicy
from workers.web_push import sender as module
from workers.web_push.hosts import PushHosts
from workers.web_push.port import AppMessage, PushMessage, PushOutcome, PushResult, PushUrgency
from workers.web_push.sender import PushSender
from workers.web_push.vapid import VapidKey, VapidTokens

MESSAGE = PushMessage(title="ada liked your photo", navigate="https://photos.example.com/p/1", tag="topic", app_badge=2)
TO_APP = AppMessage(
    token="a-token", notification_id=5, kind="favourite", icon="https://photos.example.com/icon.png", title="ada"
)
KEY = VapidKey.generate()


class Recorder:
    """Counts messages by result."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()

    def push_sent(self, *, result: str) -> None:
        """Record a message."""
        self.results[result] += 1


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    """A push service."""
    async with running_push_service() as running:
        yield running


@pytest.fixture
def circuits() -> CircuitRegistry:
    """The circuits of the process."""
    return CircuitRegistry()


@pytest.fixture
def metrics() -> Recorder:
    """The metrics."""
    return Recorder()


@asynccontextmanager
async def opened(
    circuits: CircuitRegistry, metrics: Recorder, *, hosts: str = HOST, policy: OutboundPolicy = LOOPBACK
) -> AsyncIterator[PushSender]:
    """Yield a sender."""
    async with OutboundClient(policy, name="push") as client:
        tokens = VapidTokens(KEY, contact=CONTACT)
        yield PushSender(client, tokens, hosts=PushHosts([hosts]), circuits=circuits, metrics=metrics)


@pytest.fixture
async def sender(circuits: CircuitRegistry, metrics: Recorder) -> AsyncIterator[PushSender]:
    """A sender to the loopback interface."""
    async with opened(circuits, metrics) as made:
        yield made


async def send(sender: PushSender, subscription: PushSubscription, message: PushMessage = MESSAGE) -> PushResult:
    """Send a message."""
    return await sender.send(subscription, message, topic="a-topic", ttl=timedelta(hours=4), urgency=PushUrgency.LOW)


async def test_a_message_arrives_encrypted_with_its_terms(
    service: PushService, sender: PushSender, metrics: Recorder
) -> None:
    """The header fields are those of RFC 8030, and the token is for this push service."""
    result = await send(sender, service.browser().subscription())
    assert result == PushResult(outcome=PushOutcome.SENT, status=201)
    (pushed,) = service.messages
    expected = {
        "TTL": "14400",
        "Urgency": "low",
        "Topic": "a-topic",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "User-Agent": "PicShare",
    }
    assert {name: pushed.headers[name] for name in expected} == expected
    assert pushed.claims(service.origin)["sub"] == CONTACT
    assert pushed.document["web_push"] == 8030
    assert (pushed.notification["title"], pushed.document["app_badge"]) == (MESSAGE.title, 2)
    assert metrics.results == {"sent": 1}


async def test_a_message_to_an_app_has_the_encoding_that_it_asks_for(service: PushService, sender: PushSender) -> None:
    """The older one has the salt, the key and the token in other header fields."""
    browser = service.browser()
    for legacy in (True, False):
        app = AppPush(token=b"", alerts=frozenset(), policy=PushPolicy.ALL, legacy=legacy)
        sent = await sender.send(
            browser.subscription(app=app), TO_APP, topic="a-topic", ttl=timedelta(hours=4), urgency=PushUrgency.LOW
        )
        assert sent.outcome is PushOutcome.SENT
    older, newer = service.messages
    assert older.document == newer.document
    assert older.document["access_token"] == "a-token"
    assert (older.headers["Content-Encoding"], newer.headers["Content-Encoding"]) == ("aesgcm", "aes128gcm")
    assert older.headers["Crypto-Key"].endswith(f";p256ecdsa={KEY.public}")
    scheme, token = older.headers["Authorization"].split(" ")
    assert (scheme, f"vapid t={token}, k={KEY.public}") == ("WebPush", newer.headers["Authorization"])
    assert newer.claims(service.origin)["sub"] == CONTACT


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "retry_after"),
    [
        (200, {}, PushOutcome.SENT, None),
        (202, {}, PushOutcome.SENT, None),
        (204, {}, PushOutcome.SENT, None),
        (404, {}, PushOutcome.GONE, None),
        (410, {}, PushOutcome.GONE, None),
        (429, {"Retry_After": "120"}, PushOutcome.RETRY, 120.0),
        (429, {}, PushOutcome.RETRY, None),
        (503, {"Retry_After": "999999"}, PushOutcome.RETRY, 3600.0),
        (500, {"Retry_After": "soon"}, PushOutcome.RETRY, None),
        (408, {}, PushOutcome.RETRY, None),
        (400, {}, PushOutcome.REFUSED, None),
        (401, {}, PushOutcome.REFUSED, None),
        (403, {"Retry_After": "5"}, PushOutcome.REFUSED, None),
        (307, {"Location": "/push/one"}, PushOutcome.REFUSED, None),
    ],
)
async def test_what_a_response_means(
    service: PushService,
    sender: PushSender,
    metrics: Recorder,
    *,
    status: int,
    headers: dict[str, str],
    outcome: PushOutcome,
    retry_after: float | None,
) -> None:
    """A redirect is not followed, and a push service cannot put a message off for ever."""
    service.answer(status, text="" if status == 204 else "why", **headers)
    result = await send(sender, service.browser().subscription())
    assert (result.outcome, result.status, result.retry_after) == (outcome, status, retry_after)
    assert len(service.messages) == 1
    assert metrics.results == {outcome.value: 1}
    if outcome is not PushOutcome.SENT:
        assert result.detail == "why"


async def test_a_date_in_retry_after(service: PushService, sender: PushSender) -> None:
    """It counts as the seconds until then."""
    later = datetime.now(UTC) + timedelta(seconds=90)
    service.answer(429, Retry_After=f"{later:%a, %d %b %Y %H:%M:%S} GMT")
    result = await send(sender, service.browser().subscription())
    assert result.retry_after == pytest.approx(90, abs=5)


async def test_a_message_that_is_too_large_is_sent_once_more_with_less_text(
    service: PushService, sender: PushSender, metrics: Recorder
) -> None:
    """The second one has at most a kilobyte of payload; it counts as one message."""
    long = replace(MESSAGE, body="word " * 1000)
    service.respond = lambda _: web.Response(status=413 if len(service.messages) == 1 else 201)
    assert (await send(sender, service.browser().subscription(), long)).outcome is PushOutcome.SENT
    first, second = service.messages
    assert len(first.body) > 4000
    assert len(second.payload) <= 1024
    assert second.notification["body"].endswith("…")
    assert metrics.results == {"sent": 1}
    service.answer(413)
    assert (await send(sender, service.browser().subscription(), long)).outcome is PushOutcome.REFUSED
    assert len(service.messages) == 4


async def test_a_push_service_that_hangs_costs_the_timeout(
    service: PushService, sender: PushSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is sent again later."""
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    service.hang = True
    result = await send(sender, service.browser().subscription())
    assert (result.outcome, result.status) == (PushOutcome.RETRY, None)
    assert result.detail.startswith("timeout")


async def test_a_body_without_end_is_not_read(service: PushService, sender: PushSender) -> None:
    """Two kilobytes of a response are read, and a log has 200 characters of them."""
    service.answer(400, text="x" * 5_000_000)
    assert (await send(sender, service.browser().subscription())).detail == "x" * 200


async def test_a_push_service_that_does_not_answer_opens_its_circuit(
    service: PushService, sender: PushSender, circuits: CircuitRegistry
) -> None:
    """Then no message waits for it."""
    service.answer(503)
    subscription = service.browser().subscription()
    for _ in range(10):
        await send(sender, subscription)
    assert circuits.circuit(f"push:{HOST}").state is CircuitState.OPEN
    result = await send(sender, subscription)
    assert (result.outcome, result.status) == (PushOutcome.RETRY, None)
    assert 0 < (result.retry_after or 0) <= 15
    assert len(service.messages) == 10


async def test_hosts_that_a_user_makes_up_open_no_circuit(
    service: PushService, circuits: CircuitRegistry, metrics: Recorder
) -> None:
    """A pattern would let one user stop the messages of all others."""
    service.answer(503)
    async with opened(circuits, metrics, hosts="*") as sender:
        for _ in range(12):
            assert (await send(sender, service.browser().subscription())).status == 503


async def test_a_host_that_is_not_listed_gets_nothing(
    service: PushService, circuits: CircuitRegistry, metrics: Recorder
) -> None:
    """The list may have changed since the browser has subscribed."""
    async with opened(circuits, metrics, hosts="fcm.googleapis.com") as sender:
        result = await send(sender, service.browser().subscription())
        # A name that cannot be decoded to letters beyond ASCII.
        strange = await send(sender, replace(service.browser().subscription(), endpoint="https://xn--a/push"))
    assert result.outcome is strange.outcome is PushOutcome.REFUSED
    assert "push.hosts" in result.detail
    assert service.messages == []


async def test_an_address_that_is_not_public_gets_nothing(
    service: PushService, circuits: CircuitRegistry, metrics: Recorder
) -> None:
    """The guard of addresses that users supply counts for each message."""
    guarded = replace(LOOPBACK, allowed_networks=())
    async with opened(circuits, metrics, policy=guarded) as sender:
        result = await send(sender, service.browser().subscription())
    assert result.outcome is PushOutcome.REFUSED
    assert service.messages == []


async def test_nothing_secret_is_in_a_representation(service: PushService) -> None:
    """Neither the endpoint nor the keys reach a log by accident."""
    subscription = service.browser().subscription()
    assert subscription.endpoint not in repr(subscription)
    assert str(subscription.auth) not in repr(subscription)
