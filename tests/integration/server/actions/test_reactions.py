"""Likes and comments: what is written, what the caches show, and how many statements a like costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.actions.comments import CommentActions
from server.actions.reactions import ReactionActions
from storage.cache.counters import CounterCache
from storage.errors import NotFoundError, UnavailableError
from storage.models import PhotoCounters
from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.support.eventually import DEADLINE, eventually
from tests.support.gallery import Gallery
from tests.support.locks import wait_for_blocked_transaction
from workers.broker.routing import queues_of

pytestmark = pytest.mark.engines


class UnavailableCache(CounterCache):
    """A counter cache whose Redis does not respond."""

    async def apply(self, state: PhotoCounters, user_id: int | None) -> bool:
        """Fail."""
        raise UnavailableError("redis", "connection refused")


@pytest.fixture
def gallery(database: Database) -> Gallery:
    """Users and photos."""
    return Gallery(database)


@pytest.fixture
def cache(database: Database, redis: Redis) -> CounterCache:
    """The counter cache."""
    return CounterCache(database, redis)


@pytest.fixture
async def counted(database_dsn: str) -> AsyncIterator[tuple[Database, list[str]]]:
    """A database with one connection, and the statements that it sends, each of which is one round trip."""
    statements: list[str] = []
    database = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=1)
    async with database.connection() as connection:
        connection.add_query_logger(lambda record: statements.append(" ".join(record.query.split())))
    statements.clear()
    yield database, statements
    await database.close()


async def test_a_like_costs_five_statements(
    counted: tuple[Database, list[str]], gallery: Gallery, cache: CounterCache
) -> None:
    """A like is BEGIN, one statement for photo, like and counters, the outbox rows, COMMIT, and the wake-up."""
    author_id, viewer_id = await gallery.user(), await gallery.user()
    photo_id = await gallery.photo(author_id)
    database, statements = counted
    await ReactionActions(database, cache).like(viewer_id, photo_id)
    begins = ("BEGIN", "WITH photo AS", "INSERT INTO outbox", "COMMIT", "SELECT set_config")
    # The wake-up is sent in the background; nothing may follow it.
    await eventually(lambda: len(statements) >= len(begins))
    await database.fetchval("SELECT 'end'")
    assert [begin for begin, sent in zip(begins, statements, strict=False) if sent.startswith(begin)] == [*begins]
    assert statements[len(begins) :] == ["SELECT 'end'"]


async def test_a_like_and_its_removal_show_in_the_cache(
    database: Database, gallery: Gallery, cache: CounterCache
) -> None:
    """The cache agrees with what each action returns, also when the action is repeated."""
    author_id, viewer_id = await gallery.user(), await gallery.user()
    photo_id = await gallery.photo(author_id)
    actions = ReactionActions(database, cache)
    for changed in (True, False):
        counters = await actions.like(viewer_id, photo_id)
        assert (counters.liked, counters.likes, counters.changed) == (True, 1, changed)
        assert await cache.read([photo_id], viewer_id) == {photo_id: (1, 0, True)}
    for changed in (True, False):
        counters = await actions.unlike(viewer_id, photo_id)
        assert (counters.liked, counters.likes, counters.changed) == (False, 0, changed)
        assert await cache.read([photo_id], viewer_id) == {photo_id: (0, 0, False)}


async def test_likes_and_unlikes_at_once_leave_the_counter_right(
    database: Database, gallery: Gallery, cache: CounterCache
) -> None:
    """Many likes and unlikes of the same users at the same moment: counter, rows and cache agree at the end."""
    author_id = await gallery.user()
    photo_id = await gallery.photo(author_id)
    viewers = [await gallery.user() for _ in range(4)]
    actions = ReactionActions(database, cache)
    await asyncio.gather(
        *(act(viewer, photo_id) for viewer in viewers for act in (actions.like, actions.unlike) for _ in range(5))
    )
    rows = {row["user_id"] for row in await database.fetch("SELECT user_id FROM likes WHERE photo_id = $1", photo_id)}
    assert await database.fetchval("SELECT likes FROM photos WHERE id = $1", photo_id) == len(rows)
    for viewer in viewers:
        assert await cache.read([photo_id], viewer) == {photo_id: (len(rows), 0, viewer in rows)}


async def test_a_like_survives_an_unavailable_cache(database: Database, gallery: Gallery, redis: Redis) -> None:
    """Without Redis the like is committed and returned; the notification worker updates the cache later."""
    viewer_id = await gallery.user()
    photo_id = await gallery.photo(await gallery.user())
    counters = await ReactionActions(database, UnavailableCache(database, redis)).like(viewer_id, photo_id)
    assert (counters.liked, counters.likes) == (True, 1)
    assert await database.fetchval("SELECT count(*) FROM likes") == 1


async def test_a_comment_counts_after_its_commit(database: Database, gallery: Gallery, cache: CounterCache) -> None:
    """The cache counts a comment once its transaction is committed, and not when it is rolled back."""
    viewer_id = await gallery.user()
    photo_id = await gallery.photo(await gallery.user())
    actions = CommentActions(database, cache)
    async with database.transaction() as tx:
        comment = await actions.add(tx, viewer_id, photo_id, "nice")
        assert await cache.read([photo_id], viewer_id) == {photo_id: (0, 0, False)}
    assert await cache.read([photo_id], viewer_id) == {photo_id: (0, 1, False)}

    async def fail() -> None:
        async with database.transaction() as tx:
            await actions.add(tx, viewer_id, photo_id, "never")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await fail()
    assert await cache.read([photo_id], viewer_id) == {photo_id: (0, 1, False)}
    await actions.delete(viewer_id, comment.id)
    assert await cache.read([photo_id], viewer_id) == {photo_id: (0, 0, False)}


async def test_what_the_viewer_may_not_see_is_not_found(
    database: Database, gallery: Gallery, cache: CounterCache
) -> None:
    """A private author's photo can be neither liked, unliked nor commented on by a stranger."""
    stranger = await gallery.user()
    photo_id = await gallery.photo(await gallery.user(private=True))
    actions = ReactionActions(database, cache)
    for act in (actions.like, actions.unlike):
        with pytest.raises(NotFoundError):
            await act(stranger, photo_id)

    async def comment() -> None:
        async with database.transaction() as tx:
            await CommentActions(database, cache).add(tx, stranger, photo_id, "hello")

    with pytest.raises(NotFoundError):
        await comment()


async def test_likes_of_one_photo_leave_connections_to_others(
    database: Database, database_dsn: str, gallery: Gallery, redis: Redis
) -> None:
    """While likes and unlikes wait for a photo's row, another photo is liked at once; then all are carried out."""
    author_id, *fans = [await gallery.user() for _ in range(9)]
    photo_id, other_id = await gallery.photo(author_id), await gallery.photo(author_id)
    small = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=3)
    reactions = ReactionActions(small, CounterCache(small, redis))
    async with database.transaction() as tx:
        await tx.execute("SELECT FROM photos WHERE id = $1 FOR UPDATE", photo_id)
        waiting = [
            asyncio.create_task(act(fan_id, photo_id)) for fan_id in fans for act in (reactions.like, reactions.unlike)
        ]
        await wait_for_blocked_transaction(database)
        assert (await asyncio.wait_for(reactions.like(fans[0], other_id), DEADLINE)).likes == 1
    await asyncio.gather(*waiting)
    await asyncio.gather(*(reactions.like(fan_id, photo_id) for fan_id in fans))
    assert await database.fetchval("SELECT likes FROM photos WHERE id = $1", photo_id) == len(fans)
    await small.close()
