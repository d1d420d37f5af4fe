"""What follows from an attempt at a delivery: in the log, for the delivery, for its endpoint, and on the live page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from channels.bus.publisher import LivePublisher
from channels.contract.errors import LiveUnavailableError
from storage.events import WebhookNoticed
from storage.postgres.database import Database, Transaction
from storage.stores.webhooks import webhook_attempts, webhook_claims, webhook_endpoints
from storage.stores.webhooks.webhook_claims import Finished
from storage.webhooks import PING, Attempt, Delivery, DeliveryState, Endpoint, EndpointHealth, EndpointState
from workers.jobs.live import publications
from workers.webhooks.health import after_failure, after_success
from workers.webhooks.port import Response, SendError, WebhookMetrics
from workers.webhooks.results import Outcome, Result, result_of
from workers.webhooks.schedule import next_delay

_GONE = "The receiver has responded with status 410: it wants no more messages."
_GIVEN_UP = "All messages have failed for five days."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A message that was sent, and its response; `note` says why a verdict in the response was not used."""

    response: Response | SendError
    seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None


class ResultRecorder:
    """Records the results of attempts."""

    def __init__(
        self, db: Database, publisher: LivePublisher, metrics: WebhookMetrics, *, spread: Callable[[], float]
    ) -> None:
        self._db = db
        self._publisher = publisher
        self._metrics = metrics
        self._spread = spread

    async def record(self, endpoint: Endpoint, delivery: Delivery, sent: Sent | None) -> None:
        """Record an attempt, or with None that the message is not to be sent; does nothing for a deleted endpoint."""
        async with self._db.transaction() as tx:
            found = await webhook_claims.lock_endpoint(tx, endpoint.id)
            if found is None:
                return
            state, health, now = found
            if sent is None:
                await self._end_unsent(tx, delivery, state=state, health=health, now=now)
                self._metrics.webhook_ended(state=DeliveryState.VOID)
                return
            result = result_of(sent.response, now, challenge=delivery.fields.get("challenge"))
            finished = self._finished(delivery, result, now)
            await webhook_claims.finish(tx, finished, now=now)
            state = await _change_endpoint(tx, endpoint, delivery, result, state=state, health=health, now=now)
            attempt = await webhook_attempts.record(
                tx,
                endpoint,
                delivery,
                outcome=result.outcome,
                status=result.status,
                error=result.error or sent.note,
                milliseconds=round(sent.seconds * 1000),
                request_headers=sent.headers,
                response=result.response,
            )
        self._measure(result, finished, sent.seconds)
        await self._publish(attempt, state)

    async def _end_unsent(
        self, tx: Transaction, delivery: Delivery, *, state: EndpointState, health: EndpointHealth, now: datetime
    ) -> None:
        finished = Finished(delivery=delivery, state=DeliveryState.VOID, attempts=delivery.attempts)
        await webhook_claims.finish(tx, finished, now=now)
        await webhook_claims.set_health(tx, delivery.endpoint_id, health, state=state)

    def _finished(self, delivery: Delivery, result: Result, now: datetime) -> Finished:
        attempts = delivery.attempts + 1
        if result.outcome is Outcome.DELIVERED:
            return Finished(delivery=delivery, state=DeliveryState.DONE, attempts=attempts)
        # A ping is repeated by the one who has asked for it.
        final = result.outcome is Outcome.GONE or delivery.type == PING
        delay = None if final else next_delay(attempts, spread=self._spread(), retry_after=result.retry_after)
        if delay is None:
            return Finished(delivery=delivery, state=DeliveryState.FAILED, attempts=attempts)
        next_at = now + timedelta(seconds=delay)
        return Finished(delivery=delivery, state=DeliveryState.WAITING, attempts=attempts, next_at=next_at)

    def _measure(self, result: Result, finished: Finished, seconds: float) -> None:
        self._metrics.webhook_attempted(outcome=result.outcome, seconds=seconds)
        if finished.state is not DeliveryState.WAITING:
            self._metrics.webhook_ended(state=finished.state)

    async def _publish(self, attempt: Attempt, state: EndpointState) -> None:
        """Show an attempt to the owner who is looking; the log has it in any case."""
        try:
            document = publications.webhook_attempted(attempt, state)
            await self._publisher.to_topic(publications.webhook_topic(attempt.endpoint_id), document)
        except LiveUnavailableError as error:
            log.info("webhook_attempt_not_published", endpoint_id=attempt.endpoint_id, error=str(error))


async def _change_endpoint(
    tx: Transaction,
    endpoint: Endpoint,
    delivery: Delivery,
    result: Result,
    *,
    state: EndpointState,
    health: EndpointHealth,
    now: datetime,
) -> EndpointState:
    """Store what an attempt says about its endpoint, and return the endpoint's state."""
    if delivery.type == PING:
        if result.outcome is Outcome.DELIVERED:
            return await webhook_endpoints.activate(tx, endpoint.id)
        await webhook_claims.set_health(tx, endpoint.id, health, state=state)
        return state
    change = after_success() if result.outcome is Outcome.DELIVERED else after_failure(health, now)
    gone = result.outcome is Outcome.GONE
    disable = (gone or change.disable) and state is EndpointState.ACTIVE
    if disable:
        state = EndpointState.DISABLED
        log.warning("webhook_disabled", endpoint_id=endpoint.id, gone=gone, failures=change.health.failures)
    reason = (_GONE if gone else _GIVEN_UP) if disable else None
    await webhook_claims.set_health(tx, endpoint.id, change.health, state=state, reason=reason)
    if disable or change.warn:
        tx.emit(WebhookNoticed(endpoint_id=endpoint.id, owner_id=endpoint.owner_id, disabled=disable))
    return state
