"""Sending of deliveries: claims what is due, fairly by endpoint, and makes the attempts.

A claim and a result are transactions of their own; nothing is held while a message is sent. If the process is killed in
between, the lease of the delivery expires, and the same message is sent again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from channels.bus.publisher import LivePublisher
from storage.errors import ConflictError, NotFoundError, StorageError
from storage.postgres.database import Database
from storage.stores.webhooks import webhook_claims, webhook_deliveries
from storage.stores.webhooks.webhook_claims import Claim
from storage.webhooks import Delivery, Endpoint, EndpointHealth, message_id
from workers.jobs.moderation.photo_verdicts import PhotoVerdicts
from workers.jobs.webhooks.webhook_payloads import PayloadBuilder
from workers.jobs.webhooks.webhook_results import ResultRecorder, Sent
from workers.webhooks.health import room
from workers.webhooks.port import NoWebhookMetrics, Response, Sender, SendError, WebhookMetrics
from workers.webhooks.signing import signed_headers
from workers.webhooks.verdicts import BadVerdictError, verdict_in

PER_ENDPOINT = 8  # attempts at one endpoint at once
POLL = 1.0  # seconds; what another process has stored is found after so long
_MEASURED = 5.0  # seconds between two measurements of the oldest due delivery
_FAILING_SHARE = 4  # endpoints with a broken circuit get one in so many of all attempts
_ENDPOINTS = 100  # that one look finds
_DEFECT = SendError("The message could not be built; this is a defect of the service.")
_HEADERS = {"Content-Type": "application/json", "User-Agent": "PicShare-Webhooks"}

log = structlog.get_logger(__name__)


class WebhookSending:
    """Sends due deliveries; any number of processes can do so at once.

    At most `in_flight` attempts are under way in this process, and a quarter more at endpoints that have failed again
    and again. `spread` returns random numbers from 0 to 1.
    """

    def __init__(
        self,
        db: Database,
        sender: Sender,
        payloads: PayloadBuilder,
        publisher: LivePublisher,
        metrics: WebhookMetrics | None = None,
        *,
        in_flight: int = 256,
        clock: Callable[[], float] = time.time,
        spread: Callable[[], float] = random.random,
        poll: float = POLL,
        verdicts: PhotoVerdicts | None = None,
    ) -> None:
        self._db = db
        self._sender = sender
        self._payloads = payloads
        self._metrics = metrics or NoWebhookMetrics()
        self._verdicts = verdicts
        self._results = ResultRecorder(db, publisher, self._metrics, spread=spread)
        self._clock = clock
        self._poll = poll
        self._down = False  # the database did not answer the last look
        # Endpoints that respond do not wait for those that do not: these have a lane of their own.
        self._lanes = {False: _Lane(in_flight), True: _Lane(in_flight // _FAILING_SHARE)}

    def notify(self) -> None:
        """Look for due deliveries now."""
        for lane in self._lanes.values():
            lane.notify()

    @property
    def busy(self) -> bool:
        """Return whether a claim or an attempt is under way in this process."""
        return any(lane.busy for lane in self._lanes.values())

    async def run(self) -> None:
        """Send until cancelled. Messages on their way are then sent again, when their leases have expired."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure())
            for failing in self._lanes:
                tasks.create_task(self._send_due(failing=failing))

    async def _send_due(self, *, failing: bool) -> None:
        lane = self._lanes[failing]
        async with asyncio.TaskGroup() as tasks:
            while True:
                found = [one for one in await self._due(failing=failing) if one not in lane.claiming]
                for endpoint_id in found:
                    await lane.reserve()
                    lane.claiming.add(endpoint_id)
                    tasks.create_task(self._serve(lane, endpoint_id))
                if not found:
                    await lane.wait(self._poll)

    async def _due(self, *, failing: bool) -> list[int]:
        try:
            found = await webhook_claims.due(self._db, failing=failing, limit=_ENDPOINTS)
        except StorageError as error:
            # Once for an outage, in which each look fails.
            if not self._down:
                log.warning("webhooks_not_claimed", error=str(error))
            self._down = True
            return []
        self._down = False
        return found

    async def _serve(self, lane: _Lane, endpoint_id: int) -> None:
        """Claim deliveries of an endpoint and send them; the lane has reserved attempts for it."""
        try:
            claim = await self._claim(endpoint_id)
        finally:
            lane.claiming.discard(endpoint_id)
            lane.release(PER_ENDPOINT)
        if claim is None:
            return
        async with asyncio.TaskGroup() as tasks:
            for delivery in claim.deliveries:
                lane.use()
                task = tasks.create_task(self._send(claim.endpoint, delivery))
                task.add_done_callback(lambda _: self._ended(lane))

    async def _claim(self, endpoint_id: int) -> Claim | None:
        try:
            async with self._db.transaction() as tx:
                token = await webhook_claims.take(tx, endpoint_id)
            if token is None:
                return None
            async with self._db.transaction() as tx:
                return await webhook_claims.claim(tx, endpoint_id, token, room=_room)
        except StorageError as error:
            log.warning("webhooks_not_claimed", endpoint_id=endpoint_id, error=str(error))
            return None

    def _ended(self, lane: _Lane) -> None:
        lane.release(1)
        # The endpoint may have more due deliveries, for which there was no room.
        self.notify()

    async def _send(self, endpoint: Endpoint, delivery: Delivery) -> None:
        try:
            sent = await self._attempt(endpoint, delivery)
            if sent is not None and endpoint.moderation and isinstance(sent.response, Response):
                # Before the result: if the process is killed in between, the message is sent again.
                sent = replace(sent, note=await self._take_verdict(endpoint, delivery, sent.response))
            await self._results.record(endpoint, delivery, sent)
        except StorageError as error:
            # The lease expires, and the message is sent again, with the same id.
            log.warning("webhook_not_recorded", endpoint_id=endpoint.id, error=str(error))

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> Sent | None:
        """Send a message once; return None if its event is not true any more."""
        try:
            body = await self._payloads.build(endpoint, delivery)
        except StorageError:
            raise
        except Exception:
            log.exception("webhook_not_built", endpoint_id=endpoint.id, type=delivery.type)
            return Sent(response=_DEFECT)
        if body is None:
            return None
        signed = signed_headers(
            endpoint.secrets, body, message=message_id(delivery.event_id), second=int(self._clock())
        )
        headers = {**_HEADERS, **signed}
        started = time.perf_counter()
        response: Response | SendError
        try:
            response = await self._sender.post(endpoint.url, body=body, headers=headers)
        except SendError as error:
            response = error
        return Sent(response=response, seconds=time.perf_counter() - started, headers=headers)

    async def _take_verdict(self, endpoint: Endpoint, delivery: Delivery, response: Response) -> str | None:
        """Let the verdict in a response take effect; return why it does not, None if it does or if there is none."""
        if self._verdicts is None or not 200 <= response.status < 300 or "photo_id" not in delivery.fields:
            return None
        try:
            verdict = verdict_in(response.body)
            if verdict is not None:
                await self._verdicts.give(delivery.fields["photo_id"], endpoint.id, verdict)
        except BadVerdictError as error:
            return str(error)
        except NotFoundError:
            return "The verdict in the response is not used: the photo was deleted."
        except ConflictError as error:
            return f"The verdict in the response is not used: {error}"
        return None

    async def _measure(self) -> None:
        while True:
            try:
                self._metrics.webhooks_due(
                    oldest_seconds=await webhook_deliveries.oldest_due(self._db),
                    circuits_open=await webhook_deliveries.open_circuits(self._db),
                )
            except StorageError as error:
                log.warning("webhooks_not_measured", error=str(error))
            await asyncio.sleep(_MEASURED)


class _Lane:
    """A number of attempts at once, and the signal that there may be work for it."""

    def __init__(self, attempts: int) -> None:
        self._all = self._free = max(attempts, PER_ENDPOINT)
        self._released = asyncio.Event()
        self._work = asyncio.Event()
        self.claiming: set[int] = set()  # endpoints whose claims are under way

    def notify(self) -> None:
        """Let `wait` return."""
        self._work.set()

    async def wait(self, timeout: float) -> None:
        """Wait for the signal, or until the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._work.wait()
        # Cleared before the look that follows, so that a signal during the look causes another one.
        self._work.clear()

    @property
    def busy(self) -> bool:
        """Return whether any attempt is taken."""
        return self._free < self._all

    async def reserve(self) -> None:
        """Wait until there are attempts for one endpoint, and take them. One task alone calls this."""
        while self._free < PER_ENDPOINT:
            self._released.clear()
            await self._released.wait()
        self._free -= PER_ENDPOINT

    def use(self) -> None:
        """Take one attempt of those that were just given back."""
        self._free -= 1

    def release(self, attempts: int) -> None:
        """Give attempts back."""
        self._free += attempts
        self._released.set()


def _room(health: EndpointHealth) -> int:
    return room(health, PER_ENDPOINT)
