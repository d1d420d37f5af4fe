"""Verdicts of moderation services, given in the response to a message or later over the API."""

from __future__ import annotations

from storage import ids
from storage.errors import ConflictError
from storage.moderation import Decider, Decision
from storage.postgres.database import Database
from storage.stores.photos import photo_moderation
from storage.stores.photos.photo_moderation import Decided
from storage.stores.webhooks import webhook_endpoints
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.webhooks.verdicts import Verdict


class PhotoVerdicts:
    """Stores the verdict of an endpoint about a photo, one for each.

    A repeated verdict changes nothing, so that a service can send it again.
    """

    def __init__(self, db: Database, decisions: PhotoDecisions) -> None:
        self._db = db
        self._decisions = decisions

    async def give(self, photo_id: int, endpoint_id: int, verdict: Verdict) -> Decided:
        """Let a verdict take effect.

        Raises `NotFoundError("photo")` for a photo that is deleted, and `ConflictError` verdict_given after another
        verdict of the endpoint, or webhook_not_moderating once the endpoint may not decide any more.
        """
        source = ids.encode(endpoint_id)
        decision = Decision(
            action=verdict.verdict.action,
            by=Decider.SERVICE,
            source=source,
            reason=verdict.reason,
            rule=verdict.rule,
            labels=dict(verdict.labels),
        )
        async with self._db.transaction() as tx:
            if not await webhook_endpoints.moderates(tx, endpoint_id):
                raise ConflictError(
                    "webhook_not_moderating",
                    "The webhook of this token does not decide about photos any more: it was deleted or disabled, lost "
                    "its right, or its owner is no administrator.",
                )
            before = await photo_moderation.given(tx, photo_id, by=Decider.SERVICE, source=source)
            decided = await self._decisions.decide_in(tx, photo_id, decision, once=True)
            if before is None:
                await self._decisions.log_in(tx, photo_id, decision)
            return decided
