"""Decisions of moderation about photos, and what follows from them.

Each source of decisions has one row for a photo: the moderators together, each endpoint of a service, each automatic
rule. Which of them applies does not depend on their order (`storage.moderation.applies`). It is repeated in the photo's
row, and withholds a photo by its state: a photo that would be `ready` is `hidden`. So each condition on a photo that is
shown covers moderation, too. A photo in processing keeps its state, and becomes `hidden` at its end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from storage.errors import ConflictError, NotFoundError
from storage.events import MediaPurge, PhotoHidden, PhotoImported, PhotoMarked, PhotoReady, PhotoRestored
from storage.models import PhotoAudience, PhotoState
from storage.moderation import Decider, Decision, ModerationAction, applies, from_document, to_document
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.stores.discovery import search_index
from storage.stores.photos import photo_contents, photos

_PHOTO = f"shard = {shard('$1')} AND photo_id = $1"
_COLUMNS = "decided_by, source, action, reason, rule, labels, until, decided_at"
_PUBLISHED = "published"  # in the photo's document: whether the photo was shown before it was withheld


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """What a decision led to: the decision that applies, the photo's state, and whether one of both is another one."""

    author_id: int
    state: PhotoState
    applied: Decision
    changed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Locked:
    """A photo that is locked, with what moderation depends on."""

    id: int
    author_id: int
    state: PhotoState
    audience: PhotoAudience
    applied: Decision | None
    published: bool
    imported: bool


async def decide(tx: Transaction, photo_id: int, decision: Decision, *, once: bool = False) -> Decided:
    """Store a decision about a photo in any state, in place of the former one of its source.

    Emits `PhotoHidden`, `PhotoRestored`, `PhotoReady` for a photo that is shown for the first time, or `PhotoMarked`,
    if another decision applies then, and `MediaPurge`. Raises `NotFoundError("photo")` for one that is deleted, and
    with `once` `ConflictError` verdict_given if the source has decided otherwise before. The caller calls
    `Cards.invalidate` after the commit.
    """
    photo = await _lock(tx, photo_id)
    if once:
        await _require_first(tx, photo_id, decision)
    await tx.execute(
        f"""
        INSERT INTO photo_moderation AS m
            (shard, photo_id, author_id, decided_by, source, action, reason, rule, labels, until)
        VALUES ({shard("$1")}, $1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (photo_id, decided_by, source, shard) DO UPDATE SET action = excluded.action,
            reason = excluded.reason, rule = excluded.rule, labels = excluded.labels, until = excluded.until,
            decided_at = excluded.decided_at, version = m.version + 1
        WHERE (m.action, m.reason, m.rule, m.labels, m.until)
            IS DISTINCT FROM (excluded.action, excluded.reason, excluded.rule, excluded.labels, excluded.until)""",
        photo_id,
        photo.author_id,
        decision.by.value,
        decision.source,
        decision.action.value,
        decision.reason,
        decision.rule,
        dict(decision.labels),
        decision.until,
    )
    return await _apply(tx, photo, decision)


async def history(db: Queryable, photo_id: int) -> list[Decision]:
    """Return the latest decision of each source about a photo, the newest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM photo_moderation WHERE {_PHOTO} ORDER BY decided_at DESC, decided_by, source", photo_id
    )
    return [_decision_of(row) for row in rows]


async def given(db: Queryable, photo_id: int, *, by: Decider, source: str) -> Decision | None:
    """Return the latest decision of one source about a photo, or None."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM photo_moderation WHERE {_PHOTO} AND decided_by = $2 AND source = $3",
        photo_id,
        by.value,
        source,
    )
    return None if row is None else _decision_of(row)


async def expired_holds(db: Queryable, *, limit: int) -> list[tuple[int, str]]:
    """Return photo and source of automatic holds whose time is over, the oldest first."""
    rows = await db.fetch(
        "/* all shards: the janitor's */ SELECT photo_id, source FROM photo_moderation "
        "WHERE action = 'hold' AND decided_by = 'automatic' AND until < now() ORDER BY until LIMIT $1",
        limit,
    )
    return [(row["photo_id"], row["source"]) for row in rows]


async def forget_hold(tx: Transaction, photo_id: int, source: str) -> None:
    """Delete the hold of a source about a photo that was deleted itself."""
    await tx.execute(
        f"DELETE FROM photo_moderation WHERE {_PHOTO} AND decided_by = 'automatic' AND source = $2 AND action = 'hold'",
        photo_id,
        source,
    )


async def begin_holds(tx: Transaction, photo_id: int) -> None:
    """Let the time of a photo's holds begin now, when its images exist: until then no service can look at them."""
    await tx.execute(
        f"UPDATE photo_moderation SET until = now() + (until - decided_at) WHERE {_PHOTO} AND action = 'hold'", photo_id
    )


async def _require_first(tx: Transaction, photo_id: int, decision: Decision) -> None:
    before = await given(tx, photo_id, by=decision.by, source=decision.source)
    if before is not None and replace(decision, decided_at=before.decided_at) != before:
        raise ConflictError(
            "verdict_given",
            f"The verdict {before.action.value!r} about this photo was given before, and stays. A moderator can "
            "change it.",
        )


async def _lock(tx: Transaction, photo_id: int) -> _Locked:
    author = await photos.lock_author(tx, photo_id)
    row = None
    if author is not None:
        row = await tx.fetchrow(
            f"SELECT state, audience, moderation, import_id FROM photos WHERE shard = {shard('$1')} AND id = $1 "
            "AND deleted_at IS NULL FOR NO KEY UPDATE",
            photo_id,
        )
    if author is None or row is None:
        raise NotFoundError("photo")
    document = row["moderation"]
    return _Locked(
        id=photo_id,
        author_id=author.id,
        state=PhotoState(row["state"]),
        audience=PhotoAudience(row["audience"]),
        applied=None if document is None else from_document(document),
        published=row["state"] == "ready" or (document is not None and document[_PUBLISHED]),
        imported=row["import_id"] is not None,
    )


async def _apply(tx: Transaction, photo: _Locked, decision: Decision) -> Decided:
    """Let the decision that applies, now that there is this one, take effect."""
    applied = applies(await history(tx, photo.id)) or decision
    if photo.applied == applied:
        return Decided(author_id=photo.author_id, state=photo.state, applied=applied, changed=False)
    state = _state(photo.state, applied)
    await tx.execute(
        f"UPDATE photos SET state = $2, moderation = $3 WHERE shard = {shard('$1')} AND id = $1",
        photo.id,
        state.value,
        to_document(applied) | {_PUBLISHED: photo.published and state is PhotoState.HIDDEN},
    )
    if state is not photo.state:
        await _show(tx, photo, shown=state is PhotoState.READY)
    _emit(tx, photo, state, applied)
    if state is PhotoState.HIDDEN and photo.state is PhotoState.READY:
        tx.emit(MediaPurge(user_id=photo.author_id, sha256s=await photo_contents.of_photo(tx, photo.id)))
    return Decided(author_id=photo.author_id, state=state, applied=applied, changed=True)


def _state(state: PhotoState, applied: Decision) -> PhotoState:
    if state not in {PhotoState.READY, PhotoState.HIDDEN}:
        return state
    return PhotoState.HIDDEN if applied.withholds else PhotoState.READY


async def _show(tx: Transaction, photo: _Locked, *, shown: bool) -> None:
    """Count a photo on its author's profile and for its tags, or no longer."""
    if photo.audience in photos.COUNTED:
        await tx.execute(
            f"UPDATE users SET photos = photos + $2 WHERE shard = {shard('$1')} AND id = $1",
            photo.author_id,
            1 if shown else -1,
        )
    await search_index.mark_tags(tx, photo.id)


def _emit(tx: Transaction, photo: _Locked, state: PhotoState, applied: Decision) -> None:
    subject = {"photo_id": photo.id, "author_id": photo.author_id}
    if photo.state is PhotoState.HIDDEN and state is PhotoState.READY:
        # An imported photo was not announced, and is not now.
        shown = PhotoRestored if photo.published else PhotoReady
        tx.emit(PhotoImported(**subject) if photo.imported else shown(**subject))
    elif photo.state is not PhotoState.REJECTED and (
        (applied.withholds and photo.state is PhotoState.READY) or applied.action is ModerationAction.HIDE
    ):
        # The author of a photo that is held before it is shown reads that with the photo, and is not notified.
        published = photo.state is PhotoState.READY
        tx.emit(PhotoHidden(**subject, published=published, audience=photo.audience.value))
    elif state is PhotoState.READY and _is_sensitive(applied) != _is_sensitive(photo.applied):
        tx.emit(PhotoMarked(**subject))


def _is_sensitive(decision: Decision | None) -> bool:
    return decision is not None and decision.action is ModerationAction.SENSITIVE


def _decision_of(row: Row) -> Decision:
    return Decision(
        action=ModerationAction(row["action"]),
        by=Decider(row["decided_by"]),
        **{name: row[name] for name in ("source", "reason", "rule", "labels", "until", "decided_at")},
    )
