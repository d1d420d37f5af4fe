"""Decide about photos: hide, restore, hold or mark them, by a moderator, a service or an automatic rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from server.actions import moderators
from server.identity.errors import NotPermittedError
from storage.cache.cards import Cards
from storage.errors import NotFoundError
from storage.models import Photo
from storage.moderation import Decider, Decision, ModerationAction
from storage.postgres.database import Database
from storage.stores.photos import photo_moderation, photos
from storage.stores.photos.photo_moderation import Decided
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.metrics import ModerationMetrics
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.jobs.moderation.photo_verdicts import PhotoVerdicts
from workers.webhooks.verdict_tokens import VerdictTokens
from workers.webhooks.verdicts import PhotoDeletedError, Verdict

_NONE: Mapping[str, Any] = MappingProxyType({})


QUOTA = "writes"


class ModerationActions(PhotoDecisions):
    """Decisions about photos in any state. All methods raise `NotFoundError("photo")` for one that is deleted.

    A hidden photo is gone for all but its author before a method returns, on open screens as well; workers remove it
    from feeds and caches. `reason` is text for the author, `rule` names what was broken, and `source` distinguishes
    several deciders of a kind (`storage.moderation.Decision`).
    """

    def __init__(
        self,
        db: Database,
        cards: Cards,
        permissions: LivePermissions,
        tokens: VerdictTokens,
        *,
        metrics: ModerationMetrics | None = None,
    ) -> None:
        super().__init__(db, cards, permissions, metrics=metrics)
        self._tokens = tokens
        self._verdicts = PhotoVerdicts(db, self)

    async def give_verdict(self, photo_id: int, verdict: Verdict, *, token: str) -> Decided:
        """Let the verdict of a service take effect.

        Raises `VerdictTokenError`, `PhotoDeletedError`, and `ConflictError` verdict_given or webhook_not_moderating.
        """
        claims = self._tokens.verify(token, photo_id=photo_id)
        try:
            return await self._verdicts.give(photo_id, claims.endpoint_id, verdict)
        except NotFoundError as error:
            raise PhotoDeletedError from error

    async def give_moderators_verdict(self, viewer_id: int, photo_id: int, verdict: Verdict) -> Decided:
        """Let the verdict of a moderator take effect, not about an own photo; raises as `look` does."""
        photo, _ = await self.look(viewer_id, photo_id)
        if photo.author.id == viewer_id:
            raise NotPermittedError("own_case", "The photo is yours. Another moderator has to decide about it.")
        decision = Decision(
            action=verdict.verdict.action,
            by=Decider.MODERATOR,
            reason=verdict.reason,
            rule=verdict.rule,
            labels=dict(verdict.labels),
        )
        return await self.decide_and_log(photo_id, decision, actor_id=viewer_id)

    async def look(self, viewer_id: int, photo_id: int) -> tuple[Photo, Sequence[Decision]]:
        """Return a photo in any state but deleted for a moderator, and the decisions about it.

        Raises `NotPermittedError` moderator_required and `NotFoundError("photo")`.
        """
        await moderators.require_moderator(self._db, viewer_id)
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        if photo is None:
            raise NotFoundError("photo")
        return photo, await photo_moderation.history(self._db, photo_id)

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
