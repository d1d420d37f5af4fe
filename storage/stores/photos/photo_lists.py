"""Lists of photos, newest first. Each page begins below an id, so that none is missed or repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from storage.ids import MAX_ID
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTO, PHOTOS, photo_of
from storage.postgres.sharding import shard, shards
from storage.postgres.visibility import addressed, kept, met, public_to_all, readable, shown, unmuted
from storage.stores.photos.photo_items import with_items

ReadIds = Callable[[int | None, int], Awaitable[list[int]]]  # those below an id, up to a number, newest first


async def newest(db: Queryable, *, viewer_id: int | None, before: int | None, limit: int) -> list[Photo]:
    """Return the newest photos that everyone may see, with ids below `before`."""
    rows = await db.fetch(
        f"/* all shards: the newest of all */ SELECT {PHOTO} FROM {PHOTOS} "
        f"WHERE p.id < $2 AND {public_to_all('a.shard')} ORDER BY p.id DESC LIMIT $3",
        viewer_id,
        _bound(before),
        limit,
    )
    return await with_items(db, [photo_of(row) for row in rows])


async def public_among(db: Queryable, photo_ids: Sequence[int], *, viewer_id: int | None) -> set[int]:
    """Return which of these photos everyone may see, without those of authors that the viewer mutes."""
    rows = await db.fetch(
        f"SELECT p.id FROM {PHOTOS} WHERE p.shard = ANY($2::integer[]) AND p.id = ANY($3::bigint[]) "
        f"AND {public_to_all('a.shard')} AND {unmuted('a.shard')}",
        viewer_id,
        shards(photo_ids),
        list(photo_ids),
    )
    return {row["id"] for row in rows}


async def by_tag(db: Queryable, tag: str, *, viewer_id: int | None, before: int | None, limit: int) -> list[Photo]:
    """Return photos with a tag, compared exactly, with ids below `before`."""
    rows = await db.fetch(
        f"/* all shards: by a tag */ SELECT {PHOTO} FROM photo_tags t "
        "JOIN photos p ON p.id = t.photo_id AND p.shard = t.shard "
        "JOIN users a ON a.id = p.author_id AND a.shard = t.shard "
        f"WHERE t.tag = $2 AND t.photo_id < $3 AND {shown('a.shard')} AND {met('a.shard')} "
        "ORDER BY t.photo_id DESC LIMIT $4",
        viewer_id,
        tag,
        _bound(before),
        limit,
    )
    return await with_items(db, [photo_of(row) for row in rows])


async def by_tags(db: Queryable, tags: Sequence[str], *, viewer_id: int, before: int | None, limit: int) -> list[Photo]:
    """Return photos of others with one of the tags, with ids below `before`, without those of muted authors."""

    async def read_ids(below: int | None, wanted: int) -> list[int]:
        return await _ids_by_tags(db, tags, viewer_id=viewer_id, before=below, limit=wanted)

    return await filled(db, read_ids, viewer_id=viewer_id, before=before, limit=limit)


async def _ids_by_tags(
    db: Queryable, tags: Sequence[str], *, viewer_id: int, before: int | None, limit: int
) -> list[int]:
    # Each tag is a statement, which reads the newest from the index; a statement about all of them would sort them all.
    found: set[int] = set()
    for tag in tags:
        rows = await db.fetch(
            "/* all shards: by a followed tag */ SELECT t.photo_id FROM photo_tags t "
            "JOIN photos p ON p.id = t.photo_id AND p.shard = t.shard "
            "JOIN users a ON a.id = p.author_id AND a.shard = t.shard "
            f"WHERE t.tag = $2 AND t.photo_id < $3 AND a.id <> $1 AND {shown('a.shard')} AND {unmuted('a.shard')} "
            f"AND {met('a.shard')} ORDER BY t.photo_id DESC LIMIT $4",
            viewer_id,
            tag,
            _bound(before),
            limit,
        )
        found |= {row["photo_id"] for row in rows}
    return sorted(found, reverse=True)[:limit]


async def filled(db: Queryable, read_ids: ReadIds, *, viewer_id: int, before: int | None, limit: int) -> list[Photo]:
    """Return the photos of the ids that `read_ids` returns, newest first, below an id and up to a number.

    A photo may be deleted or hidden after its id was read. The page is filled up below it, because a short page would
    be taken for the end of the list.
    """
    found: list[Photo] = []
    while len(found) < limit:
        wanted = limit - len(found)
        photo_ids = await read_ids(before, wanted)
        photos = await by_ids(db, photo_ids, viewer_id=viewer_id)
        found += [photos[photo_id] for photo_id in photo_ids if photo_id in photos]
        if len(photo_ids) < wanted:
            break
        before = photo_ids[-1]
    return found


async def by_author(
    db: Queryable, author_id: int, *, viewer_id: int | None, before: int | None, limit: int
) -> list[Photo]:
    """Return an author's photos that the viewer may see, with ids below `before`; authors see every state."""
    rows = await db.fetch(
        f"SELECT {PHOTO} FROM {PHOTOS} WHERE p.shard = {shard('$2')} AND p.author_id = $2 AND p.id < $3 "
        f"AND {readable(shard('$2'))} ORDER BY p.id DESC LIMIT $4",
        viewer_id,
        author_id,
        _bound(before),
        limit,
    )
    return await with_items(db, [photo_of(row) for row in rows])


async def by_ids(db: Queryable, photo_ids: Sequence[int], *, viewer_id: int | None) -> dict[int, Photo]:
    """Return those of these photos that a list may show to the viewer, by id."""
    if not photo_ids:
        return {}
    rows = await db.fetch(
        f"SELECT {PHOTO} FROM {PHOTOS} WHERE p.shard = ANY($2::integer[]) AND p.id = ANY($3::bigint[]) "
        f"AND {shown('a.shard')}",
        viewer_id,
        shards(photo_ids),
        list(photo_ids),
    )
    return {photo.id: photo for photo in await with_items(db, [photo_of(row) for row in rows])}


async def home_ids(db: Queryable, viewer_id: int, *, before: int | None, limit: int) -> list[int]:
    """Return the ids of a home feed's photos below `before`: the viewer's own and those of followed users.

    Muted and blocked users are left out, and photos for an audience without the viewer. At most `limit` ids of each
    author are read from the index, so that the cost of a page does not depend on the number of photos.
    """
    return await newest_ids(db, viewer_id, await followees(db, viewer_id), before=before, limit=limit)


async def newest_ids(
    db: Queryable, viewer_id: int, followed: Sequence[int], *, before: int | None, limit: int
) -> list[int]:
    """Return what `home_ids` does, given the followed users.

    Photos of accounts whose deletion can be undone are among them, and hidden when they are read: a feed that is built
    meanwhile has them when the account is back.
    """
    authors = [*followed, viewer_id]
    # The join begins with the accounts, whose shards can be named; on a cluster each server reads those that it has.
    rows = await db.fetch(
        f"""
        SELECT own.id FROM users a
        CROSS JOIN LATERAL (
            SELECT p.id FROM photos p
            WHERE p.shard = a.shard AND p.author_id = a.id AND p.id < $4
              AND p.state = 'ready' AND p.deleted_at IS NULL AND {addressed("a.shard")}
            ORDER BY p.id DESC LIMIT $5
        ) AS own
        WHERE a.shard = ANY($2::integer[]) AND a.id = ANY($3::bigint[]) AND {kept()} AND a.suspended_at IS NULL
        ORDER BY own.id DESC LIMIT $5""",
        viewer_id,
        shards(authors),
        authors,
        _bound(before),
        limit,
    )
    return [row["id"] for row in rows]


async def author_ids(db: Queryable, author_id: int, *, before: int | None = None, limit: int) -> list[int]:
    """Return the ids of an author's newest ready photos below `before`."""
    rows = await db.fetch(
        f"SELECT id FROM photos WHERE shard = {shard('$1')} AND author_id = $1 AND id < $2 "
        "AND state = 'ready' AND deleted_at IS NULL ORDER BY id DESC LIMIT $3",
        author_id,
        _bound(before),
        limit,
    )
    return [row["id"] for row in rows]


class AuthorIds(NamedTuple):
    """The ids of an author's newest ready photos: those that a viewer may see, and the others.

    Of the first, `circle` are those for close friends alone.
    """

    shown: list[int]
    circle: list[int]
    hidden: list[int]


async def ids_for(db: Queryable, author_id: int, *, viewer_id: int, limit: int) -> AuthorIds:
    """Return the newest ready photos of an author that the viewer follows."""
    rows = await db.fetch(
        f"SELECT p.id, p.audience = 'close_friends' AS circle, {addressed(shard('$2'))} AS shown FROM {PHOTOS} "
        f"WHERE p.shard = {shard('$2')} AND p.author_id = $2 AND p.state = 'ready' AND p.deleted_at IS NULL "
        "ORDER BY p.id DESC LIMIT $3",
        viewer_id,
        author_id,
        limit,
    )
    return AuthorIds(
        shown=[row["id"] for row in rows if row["shown"]],
        circle=[row["id"] for row in rows if row["circle"] and row["shown"]],
        hidden=[row["id"] for row in rows if not row["shown"]],
    )


async def shown_among(db: Queryable, photo_ids: Sequence[int], *, viewer_id: int) -> set[int]:
    """Return which of these photos the viewer may see in a list."""
    rows = await db.fetch(
        f"SELECT p.id FROM {PHOTOS} WHERE p.shard = ANY($2::integer[]) AND p.id = ANY($3::bigint[]) "
        f"AND {shown('a.shard')}",
        viewer_id,
        shards(photo_ids),
        list(photo_ids),
    )
    return {row["id"] for row in rows}


async def readable_among(db: Queryable, photo_ids: Sequence[int], *, viewer_id: int) -> set[int]:
    """Return which of these photos the viewer may request by their ids."""
    if not photo_ids:
        return set()
    rows = await db.fetch(
        f"SELECT p.id FROM {PHOTOS} WHERE p.shard = ANY($2::integer[]) AND p.id = ANY($3::bigint[]) "
        f"AND {readable('a.shard')}",
        viewer_id,
        shards(photo_ids),
        list(photo_ids),
    )
    return {row["id"] for row in rows}


async def followees(db: Queryable, viewer_id: int) -> list[int]:
    """Return the followed users whose photos belong to a home feed: those that are neither muted nor blocked."""
    rows = await db.fetch(
        f"""
        SELECT f.followee_id FROM following f WHERE f.shard = {shard("$1")} AND f.follower_id = $1
          AND NOT EXISTS (SELECT 1 FROM blocks b
              WHERE b.shard = {shard("$1")} AND b.owner_id = $1 AND b.other_id = f.followee_id)
          AND NOT EXISTS (SELECT 1 FROM mutes m
              WHERE m.shard = {shard("$1")} AND m.owner_id = $1 AND m.other_id = f.followee_id AND m.outgoing)""",
        viewer_id,
    )
    return [row["followee_id"] for row in rows]


def _bound(before: int | None) -> int:
    return MAX_ID if before is None else before
