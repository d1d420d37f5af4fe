"""Decisions of moderation in tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.models import Photo
from storage.moderation import Decider, Decision, ModerationAction
from storage.postgres.database import Database
from storage.stores.photos import photo_moderation
from storage.stores.photos.photo_moderation import Decided

HIDE, HOLD, SENSITIVE, ALLOW = (
    ModerationAction.HIDE,
    ModerationAction.HOLD,
    ModerationAction.SENSITIVE,
    ModerationAction.ALLOW,
)


def decision(
    action: ModerationAction,
    by: Decider = Decider.MODERATOR,
    *,
    source: str = "",
    reason: str = "a reason",
    labels: Mapping[str, Any] | None = None,
    minutes: float = 10,
) -> Decision:
    """Return a decision; a hold ends after some minutes."""
    until = datetime.now(UTC) + timedelta(minutes=minutes) if action is HOLD else None
    return Decision(action=action, by=by, source=source, reason=reason, labels=labels or {}, until=until)


async def decide(
    database: Database, photo: Photo, action: ModerationAction, by: Decider = Decider.MODERATOR, **fields: Any
) -> Decided:
    """Store a decision about a photo."""
    async with database.transaction() as tx:
        return await photo_moderation.decide(tx, photo.id, decision(action, by, **fields))
