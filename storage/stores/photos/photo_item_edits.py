"""Changes of a photo's pictures by its author: their order, their alternative texts, and which of them stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.errors import ConflictError, NotFoundError
from storage.events import MediaPurge, PhotoItemRemoved
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard
from storage.stores.photos import media_hashes
from storage.stores.photos.photo_items import COLUMNS

_PHOTO = f"shard = {shard('$1')} AND id = $1"
_ITEMS = f"shard = {shard('$1')} AND photo_id = $1"


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemEdit:
    """A picture that stays; its alternative text stays, too, if the new one is None."""

    sha256: str
    alt_text: str | None = None


async def edit(tx: Transaction, photo_id: int, *, author_id: int, items: Sequence[ItemEdit]) -> bool:
    """Let the author's own photo have these pictures, at least one, in this order; return whether that changes it.

    The others are removed; emits `PhotoItemRemoved` for each, and `MediaPurge`. Raises `NotFoundError("photo")`, and
    `ConflictError`: photo_not_ready, picture_not_found.
    """
    present = await _lock(tx, photo_id, author_id)
    if not {item.sha256 for item in items} <= present.keys():
        raise ConflictError("picture_not_found", "The photo does not have one of these pictures. Load it again.")
    wanted = {item.sha256: present[item.sha256] if item.alt_text is None else item.alt_text for item in items}
    if list(wanted.items()) == list(present.items()):
        return False
    if len(present) == 1:
        await tx.execute(f"UPDATE photos SET alt_text = $2 WHERE {_PHOTO}", photo_id, *wanted.values())
        return True
    await _remove(tx, photo_id, author_id, [sha256 for sha256 in present if sha256 not in wanted])
    await _arrange(tx, photo_id, wanted)
    if len(wanted) == 1:
        await _reduce(tx, photo_id)
    return True


async def describe_first(tx: Transaction, photo_id: int, alt_text: str) -> None:
    """Repeat the alternative text of a photo in its first picture; the photo is locked."""
    await tx.execute(f"UPDATE photo_items SET alt_text = $2 WHERE {_ITEMS} AND position = 0", photo_id, alt_text)


async def _lock(tx: Transaction, photo_id: int, author_id: int) -> Mapping[str, str]:
    """Lock a photo and return the alternative text of each picture by its SHA-256, in order."""
    row = await tx.fetchrow(
        f"SELECT sha256, alt_text, state, pictures FROM photos WHERE {_PHOTO} AND author_id = $2 "
        "AND deleted_at IS NULL FOR NO KEY UPDATE",
        photo_id,
        author_id,
    )
    if row is None:
        raise NotFoundError("photo")
    if row["state"] not in {"ready", "hidden"}:
        # What is being decoded would not be what the photo has then.
        raise ConflictError("photo_not_ready", "The pictures can be changed once the photo is ready.")
    if row["pictures"] == 1:
        return {row["sha256"]: row["alt_text"]}
    rows = await tx.fetch(f"SELECT sha256, alt_text FROM photo_items WHERE {_ITEMS} ORDER BY position", photo_id)
    return {item["sha256"]: item["alt_text"] for item in rows}


async def _remove(tx: Transaction, photo_id: int, author_id: int, removed: Sequence[str]) -> None:
    if not removed:
        return
    await tx.execute(f"DELETE FROM photo_items WHERE {_ITEMS} AND sha256 = ANY($2::text[])", photo_id, removed)
    await media_hashes.delete(tx, photo_id, removed)
    for sha256 in removed:
        tx.emit(PhotoItemRemoved(photo_id=photo_id, author_id=author_id, sha256=sha256))
    tx.emit(MediaPurge(user_id=author_id, sha256s=removed))


async def _arrange(tx: Transaction, photo_id: int, wanted: Mapping[str, str]) -> None:
    await tx.execute(
        f"""
        UPDATE photo_items i SET position = w.position - 1, alt_text = w.alt_text
        FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS w (sha256, alt_text, position)
        WHERE i.shard = {shard("$1")} AND i.photo_id = $1 AND i.sha256 = w.sha256""",
        photo_id,
        list(wanted),
        list(wanted.values()),
    )
    await tx.execute(
        f"""
        UPDATE photos p SET {", ".join(f"{name} = i.{name}" for name in COLUMNS)}, pictures = $2
        FROM photo_items i
        WHERE p.shard = {shard("$1")} AND p.id = $1
          AND i.shard = {shard("$1")} AND i.photo_id = $1 AND i.position = 0""",
        photo_id,
        len(wanted),
    )


async def _reduce(tx: Transaction, photo_id: int) -> None:
    """Turn a photo of which one picture is left into one that has had one always."""
    await tx.execute(
        f"""
        INSERT INTO photo_exif (shard, photo_id, exif)
        SELECT shard, photo_id, exif FROM photo_items WHERE {_ITEMS} AND exif IS NOT NULL
        ON CONFLICT (photo_id, shard) DO UPDATE SET exif = excluded.exif""",
        photo_id,
    )
    await tx.execute(f"DELETE FROM photo_items WHERE {_ITEMS}", photo_id)
