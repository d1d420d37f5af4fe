"""Webhooks on a real database, with receivers in memory: endpoints by host, responses as a test sets them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
from standardwebhooks import Webhook
from yarl import URL

from channels.bus.publisher import LivePublisher
from storage.blobs.variants import VariantRegistry
from storage.cache.cards import Cards
from storage.events import Event, PhotoReady
from storage.feeds.notification_log import NotificationLog
from storage.models import User
from storage.postgres.database import Database
from storage.stores.webhooks import webhook_deliveries, webhook_endpoints
from storage.webhooks import Endpoint, EndpointScope, EndpointState, message_id
from tests.support.community import ready_photo
from tests.support.eventually import eventually
from workers.handlers import EventOrigin, handling
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.jobs.moderation.photo_verdicts import PhotoVerdicts
from workers.jobs.moderation.review_payloads import ReviewPayloads
from workers.jobs.webhooks.webhook_payloads import PayloadBuilder
from workers.jobs.webhooks.webhook_sending import WebhookSending
from workers.jobs.webhooks.webhooks import WebhookHandlers
from workers.webhooks.port import Response, SendError
from workers.webhooks.signing import Scheme, new_secret
from workers.webhooks.verdict_tokens import VerdictTokens

PUBLIC_URL = "https://photos.example.com"

Respond = Callable[["Message"], Awaitable[Response | SendError]]


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message that arrived at a host."""

    host: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Return the id that receivers deduplicate by."""
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:
        """Return the body after the reference implementation has verified it."""
        return Webhook(secret).verify(self.body, dict(self.headers))


def response(status: int = 204, body: bytes = b"", **headers: str) -> Response:
    """Return a response; underscores in names of headers are hyphens."""
    return Response(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()}, body=body)


async def accept(message: Message) -> Response | SendError:
    """Accept a message, and return the challenge of a ping."""
    challenge = message.document["data"].get("challenge")
    return response(200, orjson.dumps({"challenge": challenge})) if challenge else response()


def answer(status: int, **headers: str) -> Respond:
    """Return a receiver that has the same response to all messages."""

    async def respond(_: Message) -> Response | SendError:
        return response(status, b"", **headers)

    return respond


async def hang(_: Message) -> Response | SendError:
    """Never respond."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@dataclass
class Receivers:
    """A `Sender` whose receivers are functions by host; others accept everything."""

    by_host: dict[str, Respond] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Response:
        """Deliver a message to its host."""
        message = Message(host=URL(url).host or "", headers=headers, body=body)
        self.messages.append(message)
        given = await self.by_host.get(message.host, accept)(message)
        if isinstance(given, SendError):
            raise given
        return given

    def of(self, host: str) -> list[Message]:
        """Return the messages that arrived at a host."""
        return [message for message in self.messages if message.host == host]

    def ids(self, host: str) -> list[str]:
        """Return the ids of the messages that arrived at a host."""
        return [message.id for message in self.of(host)]


class Published:
    """A live publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.documents: list[tuple[str, Any]] = []

    async def to_topic(self, name: str, data: bytes, *, author_id: int | None = None) -> None:
        """Keep a document."""
        del author_id
        self.documents.append((name, json.loads(data)))


class Metrics:
    """Keeps what was measured."""

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self.ended: list[str] = []
        self.circuits_open = 0

    def webhook_attempted(self, *, outcome: str, seconds: float) -> None:
        """Keep an outcome."""
        assert seconds >= 0
        self.attempts.append(outcome)

    def webhook_ended(self, *, state: str) -> None:
        """Keep a state."""
        self.ended.append(state)

    def webhooks_due(self, *, oldest_seconds: float, circuits_open: int) -> None:
        """Keep the open circuits."""
        assert oldest_seconds >= 0
        self.circuits_open = circuits_open


class Shown:
    """Cards and live permissions that keep what decisions of moderation have changed."""

    def __init__(self) -> None:
        self.invalidated: list[int] = []
        self.hidden: list[int] = []

    async def invalidate(self, ids: Iterable[int]) -> None:
        """Keep the photos whose cards are invalid."""
        self.invalidated += ids

    async def photo_hidden(self, photo_id: int) -> None:
        """Keep a photo whose topic is closed to others."""
        self.hidden.append(photo_id)


class WebhookScene:
    """The worker "webhooks": the handlers of events, and the sending, which tests start."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.receivers = Receivers()
        self.published = Published()
        self.metrics = Metrics()
        self.shown = Shown()
        self.signed = 0
        self.verdict_tokens = VerdictTokens(b"a secret of the tests")
        self.handlers = self.new_handlers()

    def sign(self, prefix: str) -> str:
        """Sign the path of an image, each time otherwise."""
        self.signed += 1
        return f"exp={1_800_000_000 + self.signed}&sig={len(prefix)}"

    def new_handlers(self, database: Database | None = None) -> WebhookHandlers:
        """Return handlers that notify no sender, and that always know all endpoints."""
        db = database or self.database
        inbox = Inbox(db, cast(NotificationLog, None))
        return WebhookHandlers(db, inbox, notify=lambda: None, watchers_ttl=0.0)

    def new_sending(self, database: Database | None = None, **options: Any) -> WebhookSending:
        """Return a sender like that of another process."""
        db = database or self.database
        reviews = ReviewPayloads(
            db, public_url=PUBLIC_URL, variants=VariantRegistry(), sign=self.sign, tokens=self.verdict_tokens
        )
        payloads = PayloadBuilder(db, public_url=PUBLIC_URL, reviews=reviews)
        publisher = cast(LivePublisher, self.published)
        decisions = PhotoDecisions(db, cast(Cards, self.shown), cast(LivePermissions, self.shown))
        options = {"spread": lambda: 0.0, "poll": 0.02, "verdicts": PhotoVerdicts(db, decisions), **options}
        return WebhookSending(db, self.receivers, payloads, publisher, self.metrics, **options)

    async def events(self, owner: User, number: int = 1) -> list[str]:
        """Let events of a user happen; return the ids of their messages."""
        photo = await ready_photo(self.database, owner)
        return [await self.handle(PhotoReady(photo_id=photo.id, author_id=owner.id)) for _ in range(number)]

    async def endpoint(self, owner: User, host: str, *, active: bool = True, **options: Any) -> Endpoint:
        """Create an endpoint, active unless stated otherwise."""
        values: dict[str, Any] = {
            "description": "",
            "types": (),
            "scope": EndpointScope.OWN,
            "ordered": False,
            "secret": new_secret(Scheme.HMAC),
            **options,
        }
        async with self.database.transaction() as tx:
            made = await webhook_endpoints.create(tx, owner_id=owner.id, url=f"https://{host}/hook", **values)
            if not active:
                return made
            return await webhook_endpoints.edit(tx, made.id, owner_id=owner.id, state=EndpointState.ACTIVE)

    async def handle(self, event: Event, *, event_id: uuid.UUID | None = None, at: datetime | None = None) -> str:
        """Handle an event as the queue delivers it, and return the id of its messages."""
        event_id = event_id or uuid.uuid4()
        with handling(EventOrigin(id=str(event_id), due_at=at or datetime.now(UTC))):
            await self.handlers.handlers()[event.topic](event)
        return message_id(event_id)

    async def ping(self, endpoint: Endpoint) -> None:
        """Ask for a ping, as the API does."""
        fields = {"endpoint_id": endpoint.id, "challenge": uuid.uuid4().hex}
        async with self.database.transaction() as tx:
            await webhook_endpoints.lock(tx, endpoint.id, owner_id=endpoint.owner_id)
            await webhook_deliveries.add_ping(tx, endpoint.id, event_id=uuid.uuid4(), fields=fields)

    @asynccontextmanager
    async def sending(self, **options: Any) -> AsyncIterator[WebhookSending]:
        """Send until the end of the block, as one process."""
        sender = self.new_sending(**options)
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def send(self, *, within: float = 10.0, **options: Any) -> None:
        """Send all that is due now, and return when nothing is due and nothing on its way."""
        async with self.sending(**options) as sender:

            async def idle() -> bool:
                due = await self.database.fetchval("SELECT count(*) FROM webhook_endpoints WHERE due_at <= now()")
                return not due and not sender.busy

            await eventually(idle, within=within)

    async def advance(self, time: timedelta) -> None:
        """Let time pass: move all times of webhooks into the past."""
        await self.database.fetch(
            """
            UPDATE webhook_endpoints SET due_at = due_at - $1::interval, failing_since = failing_since - $1::interval,
                warned_at = warned_at - $1::interval, circuit_until = circuit_until - $1::interval,
                previous_until = previous_until - $1::interval RETURNING 1""",
            time,
        )
        await self.database.fetch(
            """
            UPDATE webhook_deliveries SET next_at = next_at - $1::interval, leased_until = leased_until - $1::interval,
                finished_at = finished_at - $1::interval, occurred_at = occurred_at - $1::interval RETURNING 1""",
            time,
        )

    async def states(self, endpoint: Endpoint) -> list[str]:
        """Return the states of the deliveries to an endpoint, in the order of their events."""
        rows = await self.database.fetch(
            "SELECT state FROM webhook_deliveries WHERE endpoint_id = $1 ORDER BY occurred_at, event_id", endpoint.id
        )
        return [row["state"] for row in rows]

    async def current(self, endpoint: Endpoint) -> Endpoint:
        """Return an endpoint as it is now."""
        return await webhook_endpoints.get(self.database, endpoint.id, owner_id=endpoint.owner_id)
