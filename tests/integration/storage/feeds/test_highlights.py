"""Highlights of the home feed."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from storage.errors import ListExpiredError
from storage.feeds.frozen_lists import FRESH, TTL, FrozenLists
from storage.ids import milliseconds_of
from storage.postgres.database import Database
from storage.postgres.reads import Reads
from storage.stores.accounts import users
from tests.support.driver_commands import commands
from tests.support.highlights_world import HighlightsWorld, Scroll, ids_of
from tests.support.statements import StatementLog

pytestmark = [pytest.mark.engines, pytest.mark.cluster]


@pytest.fixture
def world(database: Database, redis: Any) -> HighlightsWorld:
    """A world without users."""
    return HighlightsWorld(database, redis)


async def test_the_most_liked_come_first(world: HighlightsWorld) -> None:
    """A comment weighs two likes, authors with many followers need more, and without any the newest come first."""
    viewer, (ann, bob, cat, dan) = await world.viewer(4)
    await world.database.fetch("UPDATE users SET followers = 1000000 WHERE id = $1", dan)
    expected = [
        await world.photo(viewer, bob, likes=30),
        await world.photo(viewer, ann, likes=3, comments=10),
        await world.photo(viewer, cat, likes=20),
        await world.photo(viewer, dan, likes=200),
    ]
    silent = [await world.photo(viewer, author) for author in (ann, bob, cat, viewer)]
    page = await world.first(viewer)
    assert ids_of(page) == [*expected, *silent[::-1]]
    assert (page.since, page.next) == (None, None)


async def test_at_most_two_of_one_author_in_ten(world: HighlightsWorld) -> None:
    """A third one comes after ten places; what is left of too few authors is in the list, too."""
    viewer, authors = await world.viewer(5)
    many = [await world.photo(viewer, authors[0], likes=1000 - number) for number in range(4)]
    others = [await world.photo(viewer, author, likes=100) for author in authors[1:] for _ in range(2)]
    order = await world.all(viewer, limit=5)
    assert order[:2] == many[:2]
    assert set(order[2:10]) == set(others)
    assert order[10:] == many[2:]


async def test_photos_since_a_time(world: HighlightsWorld) -> None:
    """The list begins at a time that the viewer names, or at the previous visit."""
    viewer, (ann, bob) = await world.viewer(2)
    photos = [await world.photo(viewer, (ann, bob)[number % 2]) for number in range(4)]
    moment = datetime.fromtimestamp(milliseconds_of(photos[2]) / 1000, UTC)
    since = [photo for photo in photos[::-1] if milliseconds_of(photo) >= milliseconds_of(photos[2])]
    page = await world.first(viewer, since=moment)
    assert (ids_of(page), page.since) == (since, moment)
    assert ids_of(await world.first(viewer)) == photos[::-1]
    await world.forget(viewer)
    await world.database.fetch("UPDATE users SET previous_visit_at = $2 WHERE id = $1", viewer, moment)
    page = await world.first(viewer)
    assert (ids_of(page), page.since) == (since, moment)
    for far in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        page = await world.first(viewer, since=far)
        assert ids_of(page) == (photos[::-1] if far.year == 1 else [])


async def test_an_empty_list_is_not_kept(world: HighlightsWorld) -> None:
    """What comes after an empty page is on the next one."""
    viewer, (ann,) = await world.viewer(1)
    assert await world.first(viewer) == ([], None, None)
    assert await world.lists(viewer) == []
    photo = await world.photo(viewer, ann)
    assert ids_of(await world.first(viewer)) == [photo]


async def test_the_order_stays_for_ten_minutes(world: HighlightsWorld) -> None:
    """Neither likes nor new photos change it; then it is made anew, and the former is kept for its readers."""
    viewer, (ann, bob) = await world.viewer(2)
    photos = [await world.photo(viewer, (ann, bob)[number % 2], likes=100 - number) for number in range(6)]
    first = await world.first(viewer, limit=2)
    assert ids_of(first) == photos[:2]
    await world.react(photos[5], likes=10_000)
    new = await world.photo(viewer, ann, likes=20_000)
    await world.grow_older(viewer, FRESH - 5)
    again = await world.first(viewer, limit=2)
    assert (ids_of(again), again.next) == (ids_of(first), first.next)
    await world.grow_older(viewer, 5)
    later = await world.first(viewer, limit=2)
    assert ids_of(later) == [new, photos[5]]
    assert await world.rest(viewer, first.next, limit=2) == photos[2:]
    assert set(await world.rest(viewer, later.next, limit=2)) == set(photos[:5])
    assert len(await world.lists(viewer)) == 2


async def test_a_list_with_a_time_ahead_of_the_clock_is_replaced(world: HighlightsWorld) -> None:
    """The clock has stepped back; the list would be given for as long as that, and ten minutes."""
    viewer, (ann,) = await world.viewer(1)
    await world.photo(viewer, ann)
    await world.first(viewer)
    await world.grow_older(viewer, -5)
    new = await world.photo(viewer, ann, likes=1)
    assert ids_of(await world.first(viewer))[0] == new


async def test_another_time_is_another_list(world: HighlightsWorld) -> None:
    """The list before goes on, and the one before that is gone; a loss of Redis' data ends all."""
    viewer, (ann, bob) = await world.viewer(2)
    photos = [await world.photo(viewer, (ann, bob)[number % 2]) for number in range(4)]
    pages = [await world.first(viewer, since=datetime(2026, 1, 1 + day, tzinfo=UTC), limit=2) for day in range(3)]
    assert [ids_of(page) for page in pages] == [photos[:1:-1]] * 3
    for page in pages[1:]:
        assert await world.rest(viewer, page.next) == photos[1::-1]
    with pytest.raises(ListExpiredError):
        await world.rest(viewer, pages[0].next)
    await commands(world.redis).flushall()
    with pytest.raises(ListExpiredError):
        await world.rest(viewer, pages[2].next)


async def test_each_page_extends_the_life_of_its_list(world: HighlightsWorld) -> None:
    """A list ends ten minutes after its last page was read, also if it is not the newest one."""
    viewer, (ann, bob) = await world.viewer(2)
    for number in range(4):
        await world.photo(viewer, (ann, bob)[number % 2])
    since = datetime(2026, 1, 1, tzinfo=UTC)
    page = await world.first(viewer, limit=2)
    await world.first(viewer, since=since)
    keys = await world.lists(viewer)

    async def extended() -> list[bool]:
        lives = [await world.redis.execute_command("TTL", key) for key in keys]
        for key in keys:
            await world.redis.execute_command("EXPIRE", key, TTL // 2)
        return [life > TTL - 60 for life in lives]

    assert await extended() == [True, True]
    await world.rest(viewer, page.next)
    assert await extended() == [False, True]
    await world.first(viewer, since=since)
    assert await extended() == [True, False]


async def test_another_request_that_came_first_keeps_the_list(world: HighlightsWorld) -> None:
    """Of two lists that are made at the same time one is kept, and both requests get it."""
    lists = FrozenLists(world.redis)
    one, other = await asyncio.gather(*(lists.keep(7, [photo], wish=3, since=4) for photo in (1, 2)))
    assert one == other
    assert (one.since, one.photo_ids) in {(4, (1,)), (4, (2,))}
    assert await lists.newest(7, wish=3) == await lists.find(7, one.id) == one
    assert await lists.newest(7, wish=0) is None
    assert await lists.newest(8, wish=3) is None
    assert await lists.find(8, one.id) is None


@pytest.mark.parametrize("how", ["block", "mute", "unfollow"])
async def test_authors_who_leave_the_feed(world: HighlightsWorld, how: str) -> None:
    """Their photos are on no page that is read from then on, and the pages are full."""
    viewer, (ann, bob, cat) = await world.viewer(3)
    photos = [await world.photo(viewer, (ann, bob, cat)[number % 3], likes=100 - number) for number in range(12)]
    page = await world.first(viewer, limit=3)
    await world.leave_out(viewer, bob, how)
    rest = await world.rest(viewer, page.next, limit=2)
    assert sorted(rest) == [photo for number, photo in enumerate(photos) if number >= 3 and number % 3 != 1]
    again = await world.first(viewer, limit=3)
    assert ids_of(again) == [photos[0], photos[2], photos[3]]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE photos SET state = 'hidden' WHERE id = ANY($1::bigint[])",
        "UPDATE photos SET audience = 'only_me' WHERE id = ANY($1::bigint[])",
        "UPDATE photos SET audience = 'close_friends' WHERE id = ANY($1::bigint[])",
        "UPDATE photos SET deleted_at = now() WHERE id = ANY($1::bigint[])",
    ],
)
async def test_photos_that_are_not_shown_any_more(world: HighlightsWorld, change: str) -> None:
    """A hidden or deleted photo, or one for others, is left out, and the next page begins behind it."""
    viewer, authors = await world.viewer(6)
    photos = [await world.photo(viewer, author, likes=100 - number) for number, author in enumerate(authors)]
    page = await world.first(viewer, limit=2)
    assert ids_of(page) == photos[:2]
    await world.database.fetch(change, photos[1:4])
    assert await world.rest(viewer, page.next, limit=1) == photos[4:]
    again = await world.first(viewer, limit=2)
    assert ids_of(again) == [photos[0], photos[4]]
    await world.database.fetch(change, photos)
    last = await world.first(viewer, limit=2)
    assert (ids_of(last), last.next) == ([], None)


async def test_a_list_of_which_little_is_left_takes_few_statements(world: HighlightsWorld) -> None:
    """The search for what is left does not go on photo by photo."""
    viewer, (ann, bob) = await world.viewer(2)
    for _ in range(60):
        await world.photo(viewer, ann)
    last = await world.photo(viewer, bob)
    assert last in await world.all(viewer, limit=100)
    await world.leave_out(viewer, ann, "unfollow")
    log = await StatementLog.open(world.database, connections=8)
    assert ids_of(await world.first(viewer, limit=1)) == [last]
    assert len([statement for statement in await log.take() if "photos" in statement]) <= 4


async def test_what_a_replica_does_not_have_yet(database: Database, redis: Any) -> None:
    """Photos that are in the list and not yet on the replica are on the page nevertheless."""

    class Behind:
        async def read(self, _viewer: int, _query: Any) -> dict[int, Any]:
            return {}

    world = HighlightsWorld(database, redis, reads=cast(Reads, Behind()))
    viewer, (ann,) = await world.viewer(1)
    photos = [await world.photo(viewer, ann) for _ in range(3)]
    assert await world.all(viewer, limit=2) == photos[::-1]


async def test_a_missing_log_is_built(world: HighlightsWorld) -> None:
    """As for the home page; while another process builds it, the ids come from PostgreSQL."""
    viewer, (ann,) = await world.viewer(1)
    photos = [await world.gallery.photo(ann) for _ in range(3)]
    assert await world.all(viewer) == photos[::-1]
    head = await world.feeds.log.head(viewer)
    assert head is not None
    assert not head.building
    await world.forget(viewer)
    await world.feeds.discard(viewer)
    await world.feeds.log.begin(viewer)
    assert await world.all(viewer) == photos[::-1]


async def test_the_log_s_window_is_the_limit(database: Database, redis: Any) -> None:
    """Only the newest photos, of which a feed has as many as its window, and no removed ones."""
    world = HighlightsWorld(database, redis, window=5)
    viewer, (ann,) = await world.viewer(1)
    await world.feeds.ensure(viewer)
    photos = [await world.photo(viewer, ann) for _ in range(9)]
    assert await world.all(viewer) == photos[:3:-1]
    await world.forget(viewer)
    await world.delete(viewer, photos[8], ann)
    assert await world.all(viewer) == photos[7:2:-1]


async def test_photos_of_stars_are_pulled_first(world: HighlightsWorld) -> None:
    """What a star has announced since the feed was last read is in the list."""
    viewer, (ann, star) = await world.viewer(2)
    photo = await world.photo(viewer, ann)
    await world.feeds.ensure(viewer)
    await world.feeds.star_logs.open(star)
    await world.feeds.followed_stars.add(star, [viewer])
    announced = await world.gallery.photo(star)
    assert await world.feeds.announce(announced, star, b"{}")
    assert await world.all(viewer) == [announced, photo]


async def test_a_visit_begins_after_some_hours(world: HighlightsWorld) -> None:
    """The time before it is the end of the previous one, until the next visit begins; a stay has no end in between."""
    viewer = await world.gallery.user()

    async def seen(hours: float) -> datetime | None:
        ago = "UPDATE users SET last_seen_at = now() - $2::interval WHERE id = $1"
        await world.database.fetch(ago, viewer, timedelta(hours=hours))
        await users.touch(world.database, viewer)
        return await users.previous_visit(world.database, viewer)

    for hours in (0.5, 1.5, 2.5):
        assert await seen(hours) is None
    first = await seen(3.5)
    assert first is not None
    assert abs(first - (datetime.now(UTC) - timedelta(hours=3.5))) < timedelta(minutes=1)
    assert await seen(0.5) == await seen(2.5) == first
    second = await seen(30)
    assert second is not None
    assert second < first


@pytest.mark.parametrize("seed", range(4))
async def test_scrolling_while_the_feed_changes(world: HighlightsWorld, seed: int) -> None:
    """Each photo is returned once at most, and none is missing that stayed readable."""
    chance = random.Random(seed)
    viewer, authors = await world.viewer(8)
    photos: dict[int, int] = {}
    for _ in range(60):
        author = chance.choice(authors)
        photos[await world.photo(viewer, author, likes=chance.randint(0, 100))] = author
    for _ in range(2):
        await Scroll(world, viewer, photos, chance).run()
        await world.forget(viewer)
