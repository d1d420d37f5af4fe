"""The hold of new photos: which of them wait for a decision of moderation, and what ends the wait."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from storage.holds import HoldOutcome, HoldPolicy, Holds
from storage.models import Photo
from storage.moderation import Decider, Decision, ModerationAction
from storage.postgres.database import Queryable, Transaction
from storage.stores.accounts import users
from storage.stores.photos import photo_moderation

SOURCE = "new_photo"  # of these decisions
NEW_FOR = timedelta(days=1)
NEW_PHOTOS = 3  # until an account has so many that are shown, it is new
_ENDED = "No moderator or service decided in time."


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """How many photos are held, and for how many seconds the oldest of them."""

    number: int
    oldest_seconds: float


async def hold(tx: Transaction, photo: Photo, policy: HoldPolicy) -> Photo:
    """Hold a photo that was just created, if the policy says so; return the photo as it is then."""
    if not await _is_held(tx, photo, policy):
        return photo
    until = datetime.now(UTC) + timedelta(minutes=policy.hold_minutes)
    decision = Decision(action=ModerationAction.HOLD, by=Decider.AUTOMATIC, source=SOURCE, until=until)
    decided = await photo_moderation.decide(tx, photo.id, decision)
    return replace(photo, moderation=decided.applied)


def outcome(source: str, policy: HoldPolicy) -> Decision:
    """Return the decision that takes the place of a hold of this source whose time is over."""
    if policy.hold_outcome is HoldOutcome.HIDE:
        return Decision(action=ModerationAction.HIDE, by=Decider.AUTOMATIC, source=source, reason=_ENDED)
    return Decision(action=ModerationAction.ALLOW, by=Decider.AUTOMATIC, source=source)


async def measure(db: Queryable) -> Held:
    """Return the photos that are held now."""
    (row,) = await db.fetch(
        "/* all shards: a metric of the janitor */ SELECT count(*) AS number, "
        "coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest "
        "FROM photos WHERE moderation ->> 'action' = 'hold' AND deleted_at IS NULL"
    )
    return Held(number=row["number"], oldest_seconds=row["oldest"])


async def _is_held(tx: Transaction, photo: Photo, policy: HoldPolicy) -> bool:
    if policy.hold is Holds.NEW:
        author = await users.get(tx, photo.author.id)
        return datetime.now(UTC) - author.created_at < NEW_FOR or author.photos < NEW_PHOTOS
    return policy.hold is Holds.ALL
