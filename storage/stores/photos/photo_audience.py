"""Changes of a photo's audience by its author."""

from __future__ import annotations

from storage.errors import NotFoundError
from storage.events import MediaPurge, PhotoAudienceChanged
from storage.models import PhotoAudience
from storage.postgres.database import Transaction
from storage.postgres.sharding import shard
from storage.stores.discovery import search_index
from storage.stores.photos import photo_contents, photos


async def change(tx: Transaction, photo_id: int, *, author_id: int, audience: PhotoAudience) -> bool:
    """Change the audience of the author's own photo; return False if it has this one already.

    Emits `PhotoAudienceChanged`, and `MediaPurge` if not everyone of the former audience may see the images. Raises
    `NotFoundError("photo")` for any other photo.
    """
    # The account before the photo, as everywhere. Its lock also keeps the photo from becoming ready meanwhile, which
    # counts it.
    await tx.execute(
        f"SELECT 1 FROM users WHERE shard = {shard('$1')} AND id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
        author_id,
    )
    row = await tx.fetchrow(
        f"SELECT p.audience, p.state FROM photos p WHERE p.shard = {shard('$2')} AND p.id = $2 AND p.author_id = $1 "
        "AND p.deleted_at IS NULL FOR NO KEY UPDATE",
        author_id,
        photo_id,
    )
    if row is None:
        raise NotFoundError("photo")
    former = PhotoAudience(row["audience"])
    if former is audience:
        return False
    await tx.execute(
        f"UPDATE photos SET audience = $2 WHERE shard = {shard('$1')} AND id = $1", photo_id, audience.value
    )
    if row["state"] == "ready":
        more = (audience in photos.COUNTED) - (former in photos.COUNTED)
        await tx.execute(
            f"UPDATE users SET photos = photos + $2 WHERE shard = {shard('$1')} AND id = $1", author_id, more
        )
    await search_index.mark_tags(tx, photo_id)
    tx.emit(PhotoAudienceChanged(photo_id=photo_id, author_id=author_id, former=former.value))
    if former is PhotoAudience.PUBLIC:
        pictures = await photo_contents.of_photo(tx, photo_id)
        tx.emit(MediaPurge(user_id=author_id, sha256s=pictures))
    return True
