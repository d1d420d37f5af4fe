"""Decide about photos: hide, restore, hold or mark them, by a moderator, a service or an automatic rule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from server.actions.live_permissions import at_once
from storage.cache.cards import Cards
from storage.moderation import Decider, Decision, ModerationAction
from storage.postgres.database import Database, Transaction
from storage.stores import photo_moderation
from storage.stores.photo_moderation import Decided
from workers.jobs.permissions import LivePermissions

_NONE: Mapping[str, Any] = MappingProxyType({})


class ModerationActions:
    """Decisions about photos in any state. All methods raise `NotFoundError("photo")` for one that is deleted.

    A hidden photo is gone for all but its author before a method returns, on open screens as well; workers remove it
    from feeds and caches. `reason` is text for the author, `rule` names what was broken, and `source` distinguishes
    several deciders of a kind (`storage.moderation.Decision`).
    """

    def __init__(self, db: Database, cards: Cards, permissions: LivePermissions) -> None:
        self._db = db
        self._cards = cards
        self._permissions = permissions

    async def hide(
        self,
        photo_id: int,
        *,
        by: Decider,
        reason: str,
        rule: str = "",
        source: str = "",
        labels: Mapping[str, Any] = _NONE,
    ) -> Decided:
        """Show a photo to its author alone."""
        action = ModerationAction.HIDE
        return await self.decide(
            photo_id, Decision(action=action, by=by, source=source, reason=reason, rule=rule, labels=labels)
        )

    async def mark_sensitive(
        self,
        photo_id: int,
        *,
        by: Decider,
        reason: str,
        rule: str = "",
        source: str = "",
        labels: Mapping[str, Any] = _NONE,
    ) -> Decided:
        """Show a photo blurred until a viewer wants to see it."""
        action = ModerationAction.SENSITIVE
        return await self.decide(
            photo_id, Decision(action=action, by=by, source=source, reason=reason, rule=rule, labels=labels)
        )

    async def hold(
        self, photo_id: int, *, by: Decider, source: str, period: timedelta, reason: str = "", rule: str = ""
    ) -> Decided:
        """Show a photo to its author alone until a moderator or a service decides, or `period` is over."""
        action, until = ModerationAction.HOLD, datetime.now(UTC) + period
        return await self.decide(
            photo_id, Decision(action=action, by=by, source=source, reason=reason, rule=rule, until=until)
        )

    async def restore(self, photo_id: int, *, by: Decider, reason: str = "", source: str = "") -> Decided:
        """Show a photo to its audience, without a mark, as far as no other decision applies before this one."""
        return await self.decide(photo_id, Decision(action=ModerationAction.ALLOW, by=by, source=source, reason=reason))

    async def decide(self, photo_id: int, decision: Decision) -> Decided:
        """Store a decision, and let the one that applies then take effect."""
        async with self._db.transaction() as tx:
            return await self.decide_in(tx, photo_id, decision)

    async def decide_in(self, tx: Transaction, photo_id: int, decision: Decision) -> Decided:
        """Do what `decide` does in a transaction of the caller, which holds no locks but on accounts."""
        decided = await photo_moderation.decide(tx, photo_id, decision)
        if decided.changed:
            tx.on_commit(lambda: self._cards.invalidate([photo_id]))
            if decided.applied.withholds:
                # The worker repeats it for the event.
                tx.on_commit(lambda: at_once(self._permissions.photo_hidden(photo_id)))
        return decided
