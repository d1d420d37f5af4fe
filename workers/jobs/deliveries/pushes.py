"""Notifications as push messages: to all browsers and apps of a user that have subscribed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from storage.models import Relation
from storage.postgres.database import Database
from storage.push import PushSubscription
from storage.stores.notifications import notification_counters, push_subscriptions
from storage.stores.social import relations
from workers.jobs.context import WorkerContext
from workers.outbound.client import OutboundClient
from workers.web_push.app_messages import app_message_of, asks_for, needs_relation, permits
from workers.web_push.notices import PushNotice, message_of
from workers.web_push.port import AppMessage, PushMessage, PushOutcome, PushPort, PushResult
from workers.web_push.sender import PushSender
from workers.web_push.token_cipher import TokenCipher
from workers.web_push.vapid import VapidTokens

DEADLINE = 14.0  # seconds for all browsers of a user
_REMEMBERED = 10_000  # messages that browsers have got, in case that others have not

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PushReport:
    """What has become of a notification: how many browsers have it, and whether any may get it later.

    `retry_after` is the longest pause that a push service asks for. `error` says what went wrong, for the operator.
    """

    sent: int = 0
    later: int = 0
    retry_after: timedelta | None = None
    error: str = ""


@dataclass(slots=True)
class _Sorted:
    sent: list[int] = field(default_factory=list)
    later: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


class PushDelivery:
    """Sends notices to the browsers and apps of their users. URLs in messages begin with `public_url`."""

    def __init__(
        self, db: Database, sender: PushPort, *, public_url: str, token_cipher: TokenCipher, deadline: float = DEADLINE
    ) -> None:
        self._db = db
        self._sender = sender
        self._public_url = public_url
        self._token_cipher = token_cipher
        self._deadline = deadline
        # A repetition for one browser must not show a notification again that was closed on another one.
        self._accepted: OrderedDict[tuple[int, int, int], None] = OrderedDict()

    async def reaches(self, user_id: int) -> bool:
        """Return whether a browser of the user has subscribed."""
        return bool(await push_subscriptions.of_user(self._db, user_id))

    async def deliver(self, user_id: int, notice: PushNotice) -> PushReport:
        """Send a notice to all browsers of its user, and the apps that want it, at once.

        Those that are gone lose their subscriptions.

        No connection of the database is held while push services are waited for.
        """
        found = await self._wanting(await push_subscriptions.of_user(self._db, user_id), notice)
        waiting = [each for each in found if (each.id, *notice.key) not in self._accepted]
        already = len(found) - len(waiting)
        if not waiting:
            return PushReport(sent=already)
        unseen = (await notification_counters.read(self._db, user_id)).unseen
        results = await self._send_all(waiting, notice, unseen)
        sorted_ = self._sort(notice, results)
        if sorted_.sent or sorted_.refused or sorted_.gone:
            async with self._db.transaction() as tx:
                given_up = await push_subscriptions.record(
                    tx, user_id, sent=sorted_.sent, refused=sorted_.refused, gone=sorted_.gone
                )
            if given_up:
                log.info("push_subscriptions_ended", number=given_up)
        pauses = [result.retry_after for result in results.values() if result.retry_after is not None]
        return PushReport(
            sent=already + len(sorted_.sent),
            later=len(sorted_.later),
            retry_after=timedelta(seconds=max(pauses)) if pauses else None,
            error="; ".join(sorted({_sentence(result) for result in results.values()} - {""})),
        )

    async def _wanting(self, found: Sequence[PushSubscription], notice: PushNotice) -> list[PushSubscription]:
        """Return the subscriptions of browsers, and of the apps that want a notice."""
        entry = notice.entry
        wanting = [each for each in found if each.app is None or asks_for(each.app, entry)]
        relation = Relation()
        if entry is not None and any(each.app is not None and needs_relation(each.app) for each in wanting):
            relation = await relations.relation(self._db, entry.user_id, entry.actors[0].id)
        return [each for each in wanting if each.app is None or permits(each.app, relation)]

    async def _send_all(
        self, subscriptions: Sequence[PushSubscription], notice: PushNotice, unseen: int
    ) -> Mapping[int, PushResult]:
        tasks = {
            subscription.id: asyncio.ensure_future(self._send(subscription, notice, unseen))
            for subscription in subscriptions
        }
        try:
            await asyncio.wait(tasks.values(), timeout=self._deadline)
        finally:
            for task in tasks.values():
                task.cancel()
        late = PushResult(outcome=PushOutcome.RETRY, detail=f"not sent within {self._deadline:g} s")
        return {
            subscription_id: task.result() if task.done() and not task.cancelled() else late
            for subscription_id, task in tasks.items()
        }

    async def _send(self, subscription: PushSubscription, notice: PushNotice, unseen: int) -> PushResult:
        terms = notice.terms
        message = self._message(subscription, notice, unseen)
        if message is None:
            return PushResult(outcome=PushOutcome.REFUSED, detail="the app has subscribed with another auth.secret")
        return await self._sender.send(subscription, message, topic=notice.topic, ttl=terms.ttl, urgency=terms.urgency)

    def _message(
        self, subscription: PushSubscription, notice: PushNotice, unseen: int
    ) -> PushMessage | AppMessage | None:
        """Return the message of a notice in the form of a subscription; None if the token of the app is lost."""
        if subscription.app is None or notice.entry is None:
            return message_of(
                notice,
                public_url=self._public_url,
                unseen=unseen,
                hide_content=subscription.hide_content,
                language=subscription.language,
            )
        token = self._token_cipher.decrypt(subscription.app.token, subscription.id)
        return None if token is None else app_message_of(notice.entry, token=token, public_url=self._public_url)

    def _sort(self, notice: PushNotice, results: Mapping[int, PushResult]) -> _Sorted:
        found = _Sorted()
        for subscription_id, result in results.items():
            match result.outcome:
                case PushOutcome.SENT:
                    found.sent.append(subscription_id)
                    self._remember((subscription_id, *notice.key))
                case PushOutcome.GONE:
                    found.gone.append(subscription_id)
                case PushOutcome.RETRY:
                    found.later.append(subscription_id)
                case PushOutcome.REFUSED:
                    found.refused.append(subscription_id)
                    log.warning("push_refused", status=result.status, detail=result.detail)
        return found

    def _remember(self, accepted: tuple[int, int, int]) -> None:
        self._accepted[accepted] = None
        if len(self._accepted) > _REMEMBERED:
            self._accepted.popitem(last=False)


@asynccontextmanager
async def open_push_delivery(context: WorkerContext) -> AsyncIterator[PushDelivery | None]:
    """Yield what sends push messages, or None if the installation has no key for them."""
    settings = context.push
    if settings is None:
        yield None
        return
    async with OutboundClient(settings.policy, name="push", metrics=context.outbound_metrics) as client:
        sender = PushSender(
            client,
            VapidTokens(settings.key, contact=settings.contact),
            hosts=settings.hosts,
            circuits=context.circuits,
            metrics=context.push_metrics,
        )
        yield PushDelivery(context.db, sender, public_url=settings.public_url, token_cipher=settings.token_cipher)


def _sentence(result: PushResult) -> str:
    if result.outcome is PushOutcome.SENT:
        return ""
    return result.detail if result.status is None else f"status {result.status}"
