"""The worker "reviews": asks a service what new photos show, and lets its answer take effect as a verdict.

Without a usable answer nothing is decided: the event is retried, and is a dead letter in the end. A photo that is held
for a verdict stays so until `moderation.hold_minutes` are over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from storage.blobs.variants import FEED, VariantRegistry
from storage.circuit import Circuit, CircuitPolicy
from storage.errors import NotFoundError
from storage.events import PhotoHeld, PhotoImported, PhotoReady
from storage.models import Photo, PhotoState
from storage.moderation import Decider
from storage.postgres.database import Database
from storage.render.images import Sign, review_prefix
from storage.stores.photos import photo_moderation, photos
from storage.stores.photos.photo_items import pictures_of
from workers.errors import Retry
from workers.handlers import EventHandler, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.outbound.client import OutboundClient
from workers.outbound.errors import OutboundError
from workers.outbound.policy import TRUSTED
from workers.reviewing.port import (
    BadAnswerError,
    ReviewService,
    ReviewSettings,
    Scores,
    decision_of,
    highest_of,
    scores_in,
)
from workers.reviewing.services import SERVICES

CIRCUIT = CircuitPolicy(failures=5, pause=10.0, max_pause=120.0)
_TIMEOUT = 30.0  # seconds
_MAX_RESPONSE = 256 * 1024  # bytes
_REVIEWED = {PhotoState.READY, PhotoState.HIDDEN}


class Reviewer:
    """Asks a service about images."""

    def __init__(
        self,
        service: ReviewService,
        settings: ReviewSettings,
        client: OutboundClient,
        circuit: Circuit,
    ) -> None:
        self.service = service
        self.settings = settings
        self._client = client
        self._circuit = circuit

    async def scores(self, image_url: str, text: str) -> Scores:
        """Return the scores of an image; raise `Retry` without a usable answer."""
        question = self.service.question(image_url, text)
        try:
            response = await self._client.send(
                question.method,
                question.url,
                body=question.body,
                headers=question.headers,
                timeout=_TIMEOUT,
                max_response=_MAX_RESPONSE,
                circuit=self._circuit,
            )
        except OutboundError as error:
            raise Retry(f"{self.service.name}: {error}", after=self._circuit.retry_after or None) from error
        if not response.ok:
            raise Retry(f"{self.service.name} answers with status {response.status}")
        try:
            return scores_in(self.service, response.body)
        except BadAnswerError as error:
            raise Retry(str(error)) from error


class ReviewHandlers:
    """Handlers of the queue "reviews"; without a reviewer they do nothing."""

    def __init__(
        self,
        db: Database,
        decisions: PhotoDecisions,
        variants: VariantRegistry,
        *,
        public_url: str,
        sign: Sign,
        reviewer: Reviewer | None = None,
    ) -> None:
        self._db = db
        self._decisions = decisions
        self._variants = variants
        self._public_url = public_url
        self._sign = sign
        self._reviewer = reviewer

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {**on(PhotoReady, self.review), **on(PhotoHeld, self.review), **on(PhotoImported, self.review)}

    async def review(self, event: PhotoReady | PhotoHeld | PhotoImported) -> None:
        """Ask about a photo, once, and store the decision that follows from the highest scores of its pictures."""
        reviewer = self._reviewer
        if reviewer is None:
            return
        photo = (await photos.load(self._db, [event.photo_id])).get(event.photo_id)
        if photo is None or photo.state not in _REVIEWED:
            return
        source = reviewer.settings.service
        if await photo_moderation.given(self._db, photo.id, by=Decider.SERVICE, source=source) is not None:
            return
        found = [await reviewer.scores(url, photo.caption) for url in self._urls(photo)]
        scores = highest_of(pair for each in found for pair in each.items())
        try:
            await self._decisions.decide(photo.id, decision_of(scores, reviewer.settings))
        except NotFoundError:
            return  # it was deleted meanwhile

    def _urls(self, photo: Photo) -> list[str]:
        prefixes = [review_prefix(self._variants, picture.sha256) for picture in pictures_of(photo)]
        return [f"{self._public_url}{prefix}{FEED}?{self._sign(prefix)}" for prefix in prefixes]


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "reviews"."""
    # The address is the operator's, so it may be one of the own network.
    async with OutboundClient(TRUSTED, name="review") as client:
        reviewer = None
        if context.review is not None:
            service = SERVICES[context.review.service](context.review)
            reviewer = Reviewer(service, context.review, client, context.circuits.circuit("review", CIRCUIT))
        permissions = LivePermissions(context.db, context.publisher)
        yield ReviewHandlers(
            context.db,
            PhotoDecisions(context.db, context.cards, permissions, metrics=context.moderation_metrics),
            context.variants,
            public_url=context.webhooks.public_url,
            sign=context.sign,
            reviewer=reviewer,
        ).handlers()
