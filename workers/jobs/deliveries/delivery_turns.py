"""Turns of a worker at the deliveries of one user: each is looked at again, then sent, postponed or dropped.

Between its addition and this moment a notification may have been read or deleted, and its recipient may have chosen
otherwise. Every result is a transaction of its own; nothing is held while a channel sends.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from storage.deliveries import (
    Delivery,
    DeliveryChannel,
    DeliveryState,
    Drop,
    Limits,
    Postpone,
    Reason,
    Recent,
    Send,
    Summarize,
    decide,
    decide_summary,
    retry_at,
)
from storage.errors import StorageError
from storage.postgres.database import Database, Transaction
from storage.stores.notifications import deliveries, delivery_claims, delivery_context
from storage.stores.notifications.delivery_claims import Turn
from storage.stores.notifications.delivery_context import Context
from workers.deliveries.port import DeliveryMetrics, NotificationChannel, SendOutcome, Sent, SummaryChannel
from workers.jobs.deliveries.digests import Digests
from workers.web_push.notices import MOST_MISSED

_TIME = delivery_claims.LEASE.total_seconds() / 2  # after which no further delivery of a turn is begun
_DEFECT = Sent(outcome=SendOutcome.FAILED, error="the channel failed; this is a defect of the service")

log = structlog.get_logger(__name__)


class LostTurnError(Exception):
    """Raised when a turn has expired and its deliveries may be another worker's."""


class DeliveryTurns:
    """Carries out turns; a channel that is missing in `channels`, and `summaries` of None, drop their deliveries."""

    def __init__(
        self,
        db: Database,
        channels: Mapping[DeliveryChannel, NotificationChannel],
        digests: Digests,
        metrics: DeliveryMetrics,
        *,
        summaries: SummaryChannel | None,
        limits: Limits,
    ) -> None:
        self._db = db
        self._channels = channels
        self._digests = digests
        self._summaries = summaries
        self._metrics = metrics
        self._limits = limits

    async def take(self, user_id: int) -> bool:
        """Carry out a turn of a user, if no other worker does; return whether more is due. Raises `StorageError`."""
        async with self._db.transaction() as tx:
            turn = await delivery_claims.take(tx, user_id)
        if turn is None:
            return False
        try:
            await self._carry_out(turn)
        except LostTurnError:
            log.warning("delivery_turn_lost", user_id=user_id)
            return False
        async with self._db.transaction() as tx:
            return await delivery_claims.release(tx, turn)

    async def _carry_out(self, turn: Turn) -> None:
        begun = time.monotonic()
        entry_ids = [each.notification_id for each in turn.deliveries if each.of_entry]
        context = await delivery_context.read(self._db, turn.user_id, entry_ids)
        recent = await deliveries.recent_pushes(self._db, turn.user_id, pause=self._limits.group_pause)
        for delivery in turn.deliveries:
            passed = time.monotonic() - begun
            if passed > _TIME:
                return
            now = turn.now + timedelta(seconds=passed)
            if context is None:
                await self._end(turn, delivery, Drop(Reason.DELETED))
            elif delivery.channel is DeliveryChannel.DIGEST:
                await self._digest(turn, delivery, context, now)
            elif not delivery.of_entry:
                recent = await self._summary(turn, delivery, context, recent, now)
            else:
                recent = await self._deliver(turn, delivery, context, recent, now)

    async def _deliver(self, turn: Turn, delivery: Delivery, context: Context, recent: Recent, now: datetime) -> Recent:
        """Send a push or a mail if it is still wanted; return the pushes of the user after that."""
        channel = self._channels.get(delivery.channel)
        if channel is None:
            await self._end(turn, delivery, Drop(Reason.UNREACHABLE))
            return recent
        entry, quiet = context.entries.get(delivery.notification_id), context.schedule.quiet
        decision = decide(delivery, entry, context.preferences, quiet, recent, now=now, limits=self._limits)
        if not isinstance(decision, Send):
            await self._end(turn, delivery, decision)
            return recent
        sending = channel.send(delivery.user_id, context.notifications[delivery.notification_id])
        return await self._sent(turn, delivery, sending, recent, now)

    async def _summary(self, turn: Turn, delivery: Delivery, context: Context, recent: Recent, now: datetime) -> Recent:
        """Send how many pushes an hour had no room for; return the pushes of the user after that."""
        if self._summaries is None:
            await self._end(turn, delivery, Drop(Reason.UNREACHABLE))
            return recent
        missed = await deliveries.missed_pushes(self._db, turn.user_id, delivery.created_at, limit=MOST_MISSED)
        decision = decide_summary(missed, context.schedule.quiet, recent, now=now, limits=self._limits)
        if not isinstance(decision, Send):
            await self._end(turn, delivery, decision)
            return recent
        sending = self._summaries.send_summary(delivery.user_id, delivery.id, missed)
        return await self._sent(turn, delivery, sending, recent, now)

    async def _sent(
        self, turn: Turn, delivery: Delivery, sending: Awaitable[Sent], recent: Recent, now: datetime
    ) -> Recent:
        sent = await self._send(sending, delivery)
        await self._record(turn, delivery, sent, now)
        if sent.outcome is not SendOutcome.SENT or delivery.channel is not DeliveryChannel.PUSH:
            return recent
        return replace(recent, times=[*recent.times, now], by_group={**recent.by_group, delivery.group: now})

    async def _send(self, sending: Awaitable[Sent], delivery: Delivery) -> Sent:
        try:
            return await sending
        except StorageError:
            raise
        except Exception:
            # One notification that cannot be sent must not end the worker, nor the deliveries of others.
            log.exception("delivery_not_sent", channel=delivery.channel.value, kind=delivery.kind)
            return _DEFECT

    async def _digest(self, turn: Turn, delivery: Delivery, context: Context, now: datetime) -> None:
        """Send a digest if there is something in it, and let the next one be due."""
        decision, sent = await self._digests.decide(delivery, context.schedule, now)
        if isinstance(decision, Postpone):
            await self._end(turn, delivery, decision)
            return
        next_at = self._digests.next_at(context.schedule, now)
        state = DeliveryState.SENT if sent is not None else DeliveryState.DROPPED
        error = decision.reason.value if isinstance(decision, Drop) else None
        async with self._db.transaction() as tx:
            await self._finish(tx, turn, delivery, state, error=error, attempts=delivery.attempts + 1)
            for event in () if sent is None else sent.events:
                tx.emit(event)
            if next_at is not None:
                await deliveries.set_digest(tx, turn.user_id, next_at)
        self._metrics.delivery_ended(channel=delivery.channel.value, result=state.value)

    async def _end(self, turn: Turn, delivery: Delivery, decision: Drop | Postpone | Summarize) -> None:
        """Record a decision not to send now."""
        async with self._db.transaction() as tx:
            if isinstance(decision, Postpone):
                await _require(tx, turn)
                await delivery_claims.postpone(tx, delivery, decision.until, error=None, attempts=delivery.attempts)
            else:
                reason = decision.reason if isinstance(decision, Drop) else Reason.CAP
                await self._finish(
                    tx, turn, delivery, DeliveryState.DROPPED, error=reason.value, attempts=delivery.attempts
                )
                if isinstance(decision, Summarize):
                    await deliveries.add_summary(tx, turn.user_id, decision.due_at)
        result = "postponed" if isinstance(decision, Postpone) else DeliveryState.DROPPED.value
        self._metrics.delivery_ended(channel=delivery.channel.value, result=result)

    async def _record(self, turn: Turn, delivery: Delivery, sent: Sent, now: datetime) -> None:
        """Record the result of an attempt, with the events that belong to it."""
        attempts = delivery.attempts + 1
        again = retry_at(now, attempts, retry_after=sent.retry_after) if sent.outcome is SendOutcome.FAILED else None
        state, error = _ended(sent)
        async with self._db.transaction() as tx:
            if again is not None:
                await _require(tx, turn)
                await delivery_claims.postpone(tx, delivery, again, error=error, attempts=attempts)
            else:
                await self._finish(tx, turn, delivery, state, error=error, attempts=attempts)
            for event in sent.events:
                tx.emit(event)
        self._metrics.delivery_ended(channel=delivery.channel.value, result="retried" if again else state.value)

    async def _finish(
        self, tx: Transaction, turn: Turn, delivery: Delivery, state: DeliveryState, *, error: str | None, attempts: int
    ) -> None:
        await _require(tx, turn)
        await delivery_claims.finish(tx, delivery, state, error=error, attempts=attempts)


async def _require(tx: Transaction, turn: Turn) -> None:
    if not await delivery_claims.holds(tx, turn):
        raise LostTurnError


def _ended(sent: Sent) -> tuple[DeliveryState, str | None]:
    match sent.outcome:
        case SendOutcome.SENT:
            return DeliveryState.SENT, None
        case SendOutcome.GONE:
            return DeliveryState.DROPPED, sent.error or Reason.UNREACHABLE.value
        case SendOutcome.FAILED:
            return DeliveryState.FAILED, sent.error
