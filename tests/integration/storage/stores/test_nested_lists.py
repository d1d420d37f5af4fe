"""Lists below many parents are those that are read one by one, and take one statement whatever their number."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from storage.errors import NotFoundError
from storage.models import Comment, CommentOrder, Photo, PhotoAudience, User
from storage.postgres.database import Database
from storage.stores.accounts import profiles
from storage.stores.comments import comment_lists, comment_pins, comments
from storage.stores.comments.comment_lists import Place
from storage.stores.nested import nested_comments, nested_photos, nested_users
from storage.stores.photos import likes, photo_lists, photos
from storage.stores.saved import collection_items, photo_collections
from storage.stores.social import relations
from tests.support.community import block, follow, new_user, new_users, ready_photo

pytestmark = pytest.mark.engines

LIMIT = 2


@dataclass(frozen=True, kw_only=True)
class World:
    """A public and a private author with photos, comments and followers, and viewers of every kind, None a visitor."""

    authors: Sequence[User]
    photos: Sequence[Photo]
    viewers: Sequence[User | None]
    collections: Sequence[int]
    comments: Sequence[Comment]


@pytest.fixture
async def world(database: Database) -> World:
    """Authors with three photos each, of which one is for followers, four comments each, and a blocked commenter."""
    ann, fan, blocked, blocker = await new_users(database, "ann", "fan", "blocked", "blocker")
    pat = await new_user(database, "pat", private=True)
    for author in (ann, pat):
        await follow(database, fan, author)
        await follow(database, blocked, author)
    await follow(database, ann, fan)
    await database.fetch("UPDATE users SET private = false WHERE id = $1 RETURNING id", pat.id)
    await follow(database, fan, pat)
    await database.fetch("UPDATE users SET private = true WHERE id = $1 RETURNING id", pat.id)
    made: list[Photo] = []
    for author in (ann, pat):
        for audience in (PhotoAudience.PUBLIC, PhotoAudience.FOLLOWERS, PhotoAudience.PUBLIC):
            made.append(await ready_photo(database, author, audience=audience, tags=["sea"]))
    written: list[Comment] = []
    for photo in made:
        async with database.transaction() as tx:
            for number in range(4):
                comment, _ = await comments.add(tx, photo_id=photo.id, author_id=photo.author.id, text=f"{number}")
                written.append(comment)
                for reply in range(3):
                    await comments.add(
                        tx, photo_id=photo.id, author_id=photo.author.id, text=f"{reply}", reply_to=comment.id
                    )
            await likes.add(tx, photo_id=photo.id, user_id=photo.author.id)
            await comment_pins.pin(tx, written[-3].id, owner_id=photo.author.id)
    for photo in made[::2]:
        if photo.author.id == ann.id:
            async with database.transaction() as tx:
                for person in (fan, blocked, blocker):
                    await comments.add(tx, photo_id=photo.id, author_id=person.id, text="hello")
                    await likes.add(tx, photo_id=photo.id, user_id=person.id)
    await block(database, blocker, blocked)
    kept = []
    async with database.transaction() as tx:
        for title in ("one", "two"):
            collection = await photo_collections.create(tx, owner_id=ann.id, title=title, public=True)
            for photo in made[:3]:
                await collection_items.add(tx, collection.id, photo.id, owner_id=ann.id)
            kept.append(collection.id)
    return World(
        authors=(ann, pat, fan),
        photos=made,
        viewers=(None, ann, fan, blocked, blocker),
        collections=kept,
        comments=written,
    )


async def _empty_if_hidden(listing: Awaitable[list[Any]]) -> list[Any]:
    try:
        return await listing
    except NotFoundError:
        return []


async def _check(
    viewers: Sequence[User | None],
    parents: Sequence[Any],
    nested: Callable[[dict[Any, Any], int | None], Awaitable[Any]],
    single: Callable[[Any, Any, int | None], Awaitable[list[Any]]],
    place: Callable[[Any], Any],
) -> None:
    """Read all lists together, page by page, and compare each page with the one that is read alone."""
    for viewer in viewers:
        viewer_id = None if viewer is None else viewer.id
        starts: dict[Any, Any] = dict.fromkeys(parents)
        while starts:
            pages = await nested(starts, viewer_id)
            alone = {parent: await single(parent, start, viewer_id) for parent, start in starts.items()}
            assert {parent: pages.get(parent, []) for parent in starts} == alone, viewer
            starts = {parent: place(page[-1]) for parent, page in alone.items() if len(page) == LIMIT}


@pytest.mark.parametrize("order", list(CommentOrder))
async def test_comments_of_many_photos(database: Database, world: World, order: CommentOrder) -> None:
    """Each photo has the comments that its own list has, pinned ones first, without those of hidden authors."""

    async def single(photo_id: int, after: Place | None, viewer_id: int | None) -> list[Comment]:
        page = _empty_if_hidden(
            comment_lists.page(database, photo_id, viewer_id=viewer_id, order=order, after=after, limit=LIMIT)
        )
        return [replace(comment, first_replies=()) for comment in await page]

    await _check(
        world.viewers,
        [photo.id for photo in world.photos],
        lambda starts, viewer_id: nested_comments.newest_of(
            database, starts, viewer_id=viewer_id, order=order, limit=LIMIT
        ),
        single,
        Place.of,
    )


async def test_replies_to_many_comments(database: Database, world: World) -> None:
    """Each comment has the replies that its own list has, and those by ids are those that can be read alone."""
    await _check(
        world.viewers,
        [comment.id for comment in world.comments],
        lambda starts, viewer_id: nested_comments.replies_of(database, starts, viewer_id=viewer_id, limit=LIMIT),
        lambda comment_id, after, viewer_id: _empty_if_hidden(
            comment_lists.replies(database, comment_id, viewer_id=viewer_id, after=after, limit=LIMIT)
        ),
        lambda reply: reply.id,
    )
    ids = [comment.id for comment in world.comments]
    for viewer in world.viewers:
        viewer_id = None if viewer is None else viewer.id
        found = await nested_comments.by_ids(database, ids, viewer_id=viewer_id)
        for comment_id in ids:
            alone = await _empty_if_hidden(_listed(comment_lists.one(database, comment_id, viewer_id=viewer_id)))
            assert [found[each] for each in (comment_id,) if each in found] == alone


async def _listed(one: Awaitable[Any]) -> list[Any]:
    return [await one]


async def test_users_below_many_parents(database: Database, world: World) -> None:
    """Followers, followed accounts and users who like a photo are those of the lists that are read alone."""

    def related(page: Any) -> Callable[[int, int | None, int | None], Awaitable[list[Any]]]:
        async def single(owner_id: int, before: int | None, viewer_id: int | None) -> list[Any]:
            if not await relations.may_see(database, viewer_id, owner_id):
                return []
            found = await page(database, owner_id, before=before, limit=LIMIT, viewer_id=viewer_id)
            return [(user.id, user.username) for user in found]

        return single

    def nested(function: Any) -> Callable[[dict[int, int | None], int | None], Awaitable[Any]]:
        async def read(starts: dict[int, int | None], viewer_id: int | None) -> Any:
            found = await function(database, starts, viewer_id=viewer_id, limit=LIMIT)
            return {parent: [(each.position, each.user.username) for each in page] for parent, page in found.items()}

        return read

    async def likers(photo_id: int, before: int | None, viewer_id: int | None) -> list[Any]:
        await photos.get(database, photo_id, viewer_id=viewer_id)
        page = await likes.page(database, photo_id, before=before, limit=LIMIT, viewer_id=viewer_id)
        return [(version, user.username) for version, user in page]

    authors = [author.id for author in world.authors]
    await _check(
        world.viewers, authors, nested(nested_users.followers), related(relations.followers), lambda row: row[0]
    )
    await _check(
        world.viewers, authors, nested(nested_users.following), related(relations.following), lambda row: row[0]
    )
    await _check(
        world.viewers,
        [photo.id for photo in world.photos],
        nested(nested_users.likers),
        lambda photo_id, before, viewer_id: _empty_if_hidden(likers(photo_id, before, viewer_id)),
        lambda row: row[0],
    )
    for viewer in world.viewers:
        viewer_id = None if viewer is None else viewer.id
        seen = {author for author in authors if await relations.may_see(database, viewer_id, author)}
        assert await nested_users.visible(database, authors, viewer_id=viewer_id) == seen


async def test_photos_below_many_parents(database: Database, world: World) -> None:
    """Photos of authors, tags and collections are those of the lists that are read alone, and so are those by ids."""
    await _check(
        world.viewers,
        [author.id for author in world.authors],
        lambda starts, viewer_id: nested_photos.of_authors(database, starts, viewer_id=viewer_id, limit=LIMIT),
        lambda author_id, before, viewer_id: photo_lists.by_author(
            database, author_id, viewer_id=viewer_id, before=before, limit=LIMIT
        ),
        lambda photo: photo.id,
    )
    await _check(
        world.viewers,
        ["sea", "land"],
        lambda starts, viewer_id: nested_photos.of_tags(database, starts, viewer_id=viewer_id, limit=LIMIT),
        lambda tag, before, viewer_id: photo_lists.by_tag(
            database, tag, viewer_id=viewer_id, before=before, limit=LIMIT
        ),
        lambda photo: photo.id,
    )
    await _check(
        world.viewers,
        world.collections,
        lambda starts, viewer_id: nested_photos.of_collections(database, starts, viewer_id=viewer_id, limit=LIMIT),
        lambda collection_id, before, viewer_id: collection_items.page(
            database, collection_id, viewer_id=viewer_id, before=before, limit=LIMIT
        ),
        lambda row: row[0],
    )
    ids = [photo.id for photo in world.photos]
    for viewer in world.viewers:
        viewer_id = None if viewer is None else viewer.id
        found = await nested_photos.by_ids(database, ids, viewer_id=viewer_id)
        for photo_id in ids:
            one = photos.get_with_like(database, photo_id, viewer_id=viewer_id)
            assert [found[each] for each in (photo_id,) if each in found] == await _empty_if_hidden(_listed(one))


async def test_profiles_by_their_ids(database: Database, world: World) -> None:
    """They are those that are read alone, with the viewer's relations."""
    users = [*world.authors, *(viewer for viewer in world.viewers if viewer is not None)]
    ids = sorted({user.id for user in users})
    for viewer in world.viewers:
        viewer_id = None if viewer is None else viewer.id
        found = await profiles.by_ids(database, ids, viewer_id=viewer_id)
        for user in users:
            one = profiles.find(database, user.username, viewer_id=viewer_id)
            assert [found[each] for each in (user.id,) if each in found] == await _empty_if_hidden(_listed(one))
