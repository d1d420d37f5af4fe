"""Photos of a home feed by their ids: those that belong to it at present."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTO, PHOTOS, photo_of
from storage.postgres.sharding import shards
from storage.postgres.visibility import followed, shown, unmuted
from storage.stores.photos.photo_items import with_items

# As in `photo_lists.home_ids`, but asked of photos that are known: the viewer may have unfollowed an author meanwhile.
_OF_THE_FEED = (
    f"{PHOTOS} WHERE p.shard = ANY($2::integer[]) AND p.id = ANY($3::bigint[]) "
    f"AND {shown('a.shard')} AND {unmuted('a.shard')} AND (a.id = $1 OR {followed('a.shard')})"
)


class Reactions(NamedTuple):
    """What the order of a photo depends on: its counters, as they are shown, and the followers of its author."""

    photo_id: int
    author_id: int
    likes: int
    comments: int
    followers: int


async def reactions(db: Queryable, photo_ids: Sequence[int], *, viewer_id: int) -> list[Reactions]:
    """Return the reactions to those of the photos that belong to the viewer's home feed, in any order."""
    rows = await db.fetch(
        f"SELECT p.id, p.author_id, p.likes, p.comments, a.followers FROM {_OF_THE_FEED}",
        viewer_id,
        shards(photo_ids),
        list(photo_ids),
    )
    return [Reactions(*row) for row in rows]


async def by_ids(db: Queryable, photo_ids: Sequence[int], *, viewer_id: int) -> dict[int, Photo]:
    """Return those of the photos that belong to the viewer's home feed, by id."""
    rows = await db.fetch(f"SELECT {PHOTO} FROM {_OF_THE_FEED}", viewer_id, shards(photo_ids), list(photo_ids))
    return {photo.id: photo for photo in await with_items(db, [photo_of(row) for row in rows])}
