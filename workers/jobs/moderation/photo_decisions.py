"""Let a decision of moderation about a photo take effect, wherever it was made."""

from __future__ import annotations

import structlog

from channels.contract.errors import LiveUnavailableError
from storage.cache.cards import Cards
from storage.errors import UnavailableError
from storage.moderation import Decision
from storage.postgres.database import Database, Transaction
from storage.stores.moderation import cases, moderation_audit
from storage.stores.photos import photo_moderation
from storage.stores.photos.photo_moderation import Decided
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.metrics import ModerationMetrics, NoModerationMetrics

log = structlog.get_logger(__name__)


class PhotoDecisions:
    """Decisions about photos in any state; raises `NotFoundError("photo")` for one that is deleted.

    A photo that is withheld is gone for all but its author before a method returns, on open pages of it as well.
    """

    def __init__(
        self,
        db: Database,
        cards: Cards,
        permissions: LivePermissions,
        *,
        metrics: ModerationMetrics | None = None,
    ) -> None:
        self._db = db
        self._cards = cards
        self._permissions = permissions
        self._metrics = metrics or NoModerationMetrics()

    async def decide(self, photo_id: int, decision: Decision) -> Decided:
        """Store a decision, and let the one that applies then take effect."""
        async with self._db.transaction() as tx:
            return await self.decide_in(tx, photo_id, decision)

    async def decide_in(self, tx: Transaction, photo_id: int, decision: Decision, *, once: bool = False) -> Decided:
        """Do what `decide` does in a transaction of the caller, which holds no locks but on accounts.

        With `once`, raise `ConflictError` verdict_given if the same source has decided otherwise before.
        """
        decided = await photo_moderation.decide(tx, photo_id, decision, once=once)
        tx.on_commit(lambda: self._take_effect(photo_id, decision, decided))
        return decided

    async def decide_and_log(self, photo_id: int, decision: Decision, *, actor_id: int | None = None) -> Decided:
        """Do what `decide` does for a decision outside of a case, and add it to the log of the newest case, if any.

        `actor_id` is the moderator, None for an operator.
        """
        async with self._db.transaction() as tx:
            decided = await self.decide_in(tx, photo_id, decision)
            await self.log_in(tx, photo_id, decision, actor_id=actor_id)
        return decided

    async def log_in(self, tx: Transaction, photo_id: int, decision: Decision, *, actor_id: int | None = None) -> None:
        """Add a decision that was made outside of a case to the log of the newest case about the photo, if any."""
        case_id = await cases.newest_about(tx, photo_id)
        if case_id is not None:
            details = {"verdict": decision.action.value, "by": decision.by.value, "note": decision.reason}
            await moderation_audit.add(tx, case_id, "verdict", actor_id=actor_id, details=details)

    async def _take_effect(self, photo_id: int, decision: Decision, decided: Decided) -> None:
        self._metrics.photo_decided(action=decision.action, by=decision.by)
        if not decided.changed:
            return
        await self._cards.invalidate([photo_id])
        if decided.applied.withholds:
            try:
                await self._permissions.photo_hidden(photo_id)
            except (UnavailableError, LiveUnavailableError) as error:
                # The decision is committed, and the worker repeats this for the event.
                log.warning("live_permissions_not_updated", error=str(error))
