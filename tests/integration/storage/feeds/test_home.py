"""Pages of the home feed."""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial
from typing import Any, cast

import pytest

from server.composition.delivery import delivery_script
from storage.cache.cards import DELETED, HIDDEN, Cards, card_key
from storage.cache.counters import CounterCache
from storage.feeds.feeds import BUILDERS, Feeds
from storage.feeds.home import Home
from storage.feeds.home_page import HomePage
from storage.feeds.window_log import TIME_TO_LIVE
from storage.ids import MAX_ID, decode, shard_of
from storage.limits.quotas import QuotaPolicy, Quotas, user_subject
from storage.limits.tickets import Tickets
from storage.postgres.database import Database
from storage.postgres.reads import PrimaryReads
from storage.redis.client import Redis
from storage.render.photo import with_urls
from storage.stores.accounts import account_fields
from storage.stores.photos import likes, photo_lists
from tests.support.databases import NoDatabase
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from tests.support.gallery import Gallery

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

PLENTY = QuotaPolicy(name="reads", limit=1_000_000, window_seconds=60)


class World:
    """Everything a home feed consists of; the window is short, so that PostgreSQL soon continues."""

    def __init__(self, database: Database, redis: Any, *, window: int = 20) -> None:
        self.database = database
        self.redis = redis
        self.gallery = Gallery(database)
        self.cards = Cards(database, redis)
        self.counter_cache = CounterCache(database, redis)
        self.feeds = Feeds(database, redis, self.cards, delivery_script(redis), window=window)
        self.home = Home(PrimaryReads(database), redis, self.feeds, self.cards, self.counter_cache)

    async def page(self, viewer: int, *, before: int | None = None, limit: int = 20, **given: Any) -> HomePage:
        """Return a page."""
        options: dict[str, Any] = {"session": "s", "policy": PLENTY} | given
        return await self.home.page(viewer, before=before, limit=limit, **options)

    async def scroll(self, viewer: int, chance: random.Random | None = None, *, limit: int = 20) -> list[int]:
        """Return all ids from the top to the end; all pages but the last must be full."""
        ids: list[int] = []
        before: int | None = None
        while True:
            size = chance.randint(1, 15) if chance else limit
            page = await self.page(viewer, before=before, limit=size)
            ids += ids_of(page)
            if page.next is None:
                return ids
            assert len(shown(page)) == size
            before = page.next


@pytest.fixture
def world(database: Database, redis: Any) -> World:
    """A world without users."""
    return World(database, redis)


async def entries_of(world: World, viewer: int) -> list[int]:
    """Return the ids in a feed's log."""
    view = await world.feeds.log.read(viewer)
    assert view is not None
    return [entry.id for entry in view.entries]


async def all_built(world: World, viewers: list[int]) -> bool:
    """Return whether there is a feed of each viewer."""
    heads = [await world.feeds.log.head(viewer) for viewer in viewers]
    return all(head is not None and not head.building for head in heads)


def shown(page: HomePage) -> list[dict[str, Any]]:
    """Return what a page says."""
    found: list[dict[str, Any]] = json.loads(b"[%b]" % b"".join(page.pieces))
    return found


def ids_of(page: HomePage) -> list[int]:
    """Return a page's ids."""
    return [decode(photo["id"]) for photo in shown(page)]


async def test_page_is_complete(world: World) -> None:
    """A page has the newest photos with counters and the viewer's like, and the id below which the next begins."""
    ann, bob = await world.gallery.user("ann"), await world.gallery.user("bob")
    await world.gallery.follow(ann, bob)
    photos = [await world.gallery.photo(bob, f"photo {number}") for number in range(5)]
    async with world.database.transaction() as tx:
        await likes.add(tx, photo_id=photos[4], user_id=ann)
    for _ in range(2):
        page = await world.page(ann, limit=2)
        assert [(photo["caption"], photo["likes"], photo["liked"]) for photo in shown(page)] == [
            ("photo 4", 1, True),
            ("photo 3", 0, False),
        ]
        assert page.next == photos[3]
        assert not page.revoked
    assert page.position == await world.feeds.position(ann)
    last = await world.page(ann, before=photos[1], limit=2)
    assert (ids_of(last), last.next) == ([photos[0]], None)
    assert shown(await world.page(ann, before=photos[0])) == []


async def test_one_round_trip_when_warm(world: World) -> None:
    """A cached page takes one command to Redis and no query; on a cluster, cards and counters are then read at once."""
    ann = await world.gallery.user()
    for _ in range(25):
        await world.gallery.photo(ann)
    await world.page(ann)
    sent: list[tuple[Any, ...]] = []
    home = Home(
        PrimaryReads(NoDatabase()),
        cast(Redis, Recording(world.redis, sent)),
        world.feeds,
        world.cards,
        world.counter_cache,
    )
    page = await home.page(ann, session="s", before=None, limit=20, policy=PLENTY)
    assert len(shown(page)) == 20
    scripts, reads = [[command for command in sent if command[0] == name] for name in ("EVALSHA", "MGET")]
    assert len(sent) == len(scripts) + len(reads)
    assert (len(scripts), sum(len(read) - 1 for read in reads)) == (1, 40 if world.redis.sharded else 0)


class Recording:
    """A client that can only send commands, and records them."""

    def __init__(self, redis: Any, sent: list[tuple[Any, ...]]) -> None:
        self._redis = redis
        self._sent = sent
        self.sharded = redis.sharded
        self.slot_of = redis.slot_of

    async def execute_command(self, *command: Any) -> Any:
        """Record a command and send it."""
        self._sent.append(command)
        return await self._redis.execute_command(*command)


async def test_empty_feed(world: World) -> None:
    """A viewer who follows nobody and has no photos gets an empty page, which is the last."""
    ann = await world.gallery.user()
    page = await world.page(ann)
    assert (page.pieces, page.next) == ([], None)


async def test_quota(world: World) -> None:
    """A page charges the viewer's quota once, the same that other requests charge; a refused page is empty."""
    ann = await world.gallery.user()
    await world.gallery.photo(ann)
    three = QuotaPolicy(name="three", limit=3, window_seconds=100)
    await Quotas(world.redis).take(three, user_subject(ann))
    cold, warm, refused = [await world.page(ann, policy=three) for _ in range(3)]
    assert cold.quota is not None
    assert warm.quota is not None
    assert refused.quota is not None
    assert (cold.quota.remaining, warm.quota.remaining) == (1, 0)
    assert len(shown(warm)) == 1
    assert not refused.quota.allowed
    assert refused.quota.retry_after > 0
    assert (refused.pieces, refused.revoked) == ([], False)


async def test_cost_of_a_page(world: World) -> None:
    """A page charges its cost; one that was charged before charges nothing, and is read with an exhausted quota."""
    ann = await world.gallery.user()
    await world.gallery.photo(ann)
    three = QuotaPolicy(name="three", limit=3, window_seconds=100)
    page = await world.page(ann, policy=three, cost=3)
    assert page.quota is not None
    assert (page.quota.allowed, page.quota.remaining) == (True, 0)
    free = await world.page(ann, policy=three, cost=0)
    assert (free.quota, len(shown(free))) == (None, 1)


async def test_revoked_session(world: World) -> None:
    """A revoked session reads nothing and charges nothing; another session of the same user works."""
    ann = await world.gallery.user()
    await world.gallery.photo(ann)
    await Tickets(world.redis).revoke_session("old", ann, ttl=60)
    one = QuotaPolicy(name="one", limit=1, window_seconds=100)
    page = await world.page(ann, session="old", policy=one)
    assert (page.pieces, page.revoked) == ([], True)
    assert len(shown(await world.page(ann, session="new", policy=one))) == 1


async def test_page_is_full_despite_deleted_photos(world: World) -> None:
    """Deleted photos take no place on a page, whether Redis knows them or not; each page is charged once."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(12)]
    await world.feeds.ensure(ann)
    for photo in photos[8:]:
        await world.gallery.delete(photo, ann)
    await world.cards.tombstone(photos[11])
    slow = QuotaPolicy(name="slow", limit=10, window_seconds=1000)
    for remaining in (9, 8):
        page = await world.page(ann, limit=5, policy=slow)
        assert ids_of(page) == photos[3:8][::-1]
        assert page.next == photos[3]
        assert page.quota is not None
        assert page.quota.remaining == remaining


async def test_page_is_full_past_the_window(world: World) -> None:
    """Photos whose tombstone precedes the deletion in PostgreSQL take no place on pages past the window either."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(50)]
    await world.feeds.ensure(ann)
    for photo in photos[20:29]:
        await world.cards.tombstone(photo)
    page = await world.page(ann, before=photos[30], limit=10)
    assert ids_of(page) == [photos[29], *photos[11:20][::-1]]
    assert page.next == photos[11]


@pytest.mark.parametrize("mark", [DELETED, HIDDEN])
@pytest.mark.parametrize("warm", [True, False])
async def test_photos_that_are_not_shown(world: World, mark: bytes, warm: bool) -> None:
    """A deleted or hidden photo takes no place on any page, within the window and below it."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(40)]
    await world.feeds.ensure(ann)
    if warm:
        await world.cards.get(photos)
    marked = {photos[5], photos[30], photos[39]}
    for photo in marked:
        await commands(world.redis).set(card_key(photo), mark)
    visible = [photo for photo in photos if photo not in marked][::-1]
    assert ids_of(await world.page(ann, limit=10)) == visible[:10]
    assert await world.scroll(ann, limit=7) == visible
    assert await world.scroll(ann, limit=100) == visible


async def test_photo_that_is_not_ready_any_more(world: World) -> None:
    """A photo of the feed whose card is missing, and which PostgreSQL does not show any more, is left out."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(6)]
    await world.feeds.ensure(ann)
    await world.database.fetch("UPDATE photos SET state = 'hidden' WHERE id = $1", photos[4])
    page = await world.page(ann, limit=4)
    assert ids_of(page) == [photos[5], *photos[1:4][::-1]]
    assert page.next == photos[1]


async def test_old_like_is_shown(world: World) -> None:
    """A like of a photo older than the likes in Redis is shown if the photo is still in the window."""
    ann = await world.gallery.user()
    photo, old = await world.gallery.photo(ann), 1024 + shard_of(ann)  # an id of the first millisecond
    copy = "INSERT INTO photos SELECT (jsonb_populate_record(p, $2)).* FROM photos p WHERE id = $1"
    await world.database.fetch(copy, photo, {"id": old})
    async with world.database.transaction() as tx:
        await likes.add(tx, photo_id=old, user_id=ann)
    await world.database.fetch("UPDATE likes SET created_at = now() - interval '100 days'")
    for _ in range(2):
        assert [listed["liked"] for listed in shown(await world.page(ann))] == [False, True]


async def test_private_photos_are_signed(world: World) -> None:
    """URLs of a private account's photos are signed in the response."""
    ann = await world.gallery.user(private=True)
    await world.gallery.photo(ann)
    for _ in range(2):
        [photo] = shown(await world.page(ann, render=partial(with_urls, sign=lambda _: "exp=1&sig=2")))
        assert photo["urls"]["feed"].endswith("/1080.jpg?exp=1&sig=2")


async def test_new_name_after_a_change(world: World) -> None:
    """After an author's name changed and the cards were invalidated, the next page has the new name."""
    ann = await world.gallery.user()
    photo = await world.gallery.photo(ann)
    await world.page(ann)
    async with world.database.transaction() as tx:
        await account_fields.update(tx, ann, display_name="Anna")
    await world.cards.invalidate([photo])
    for _ in range(2):
        [listed] = shown(await world.page(ann))
        assert listed["author"]["display_name"] == "Anna"


async def test_scrolling_past_the_window(world: World) -> None:
    """Below what Redis holds PostgreSQL continues without gap or repeat, likes included."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(60)]
    async with world.database.transaction() as tx:
        await likes.add(tx, photo_id=photos[0], user_id=ann)
    for limit in (7, 20, 50, 60, 100):
        assert await world.scroll(ann, limit=limit) == photos[::-1]
    page = await world.page(ann, before=photos[3])
    assert [photo["liked"] for photo in shown(page)] == [False, False, True]


@pytest.mark.parametrize("recent", [10, 0])
async def test_old_photos_are_not_in_a_new_feed(world: World, monkeypatch: pytest.MonkeyPatch, recent: int) -> None:
    """A feed is built of recent photos, or of the newest one; PostgreSQL has the others, without gap or repeat."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(15)]
    monkeypatch.setattr(Feeds, "oldest_id", lambda _: [*photos, MAX_ID][-recent - 1])
    await world.feeds.ensure(ann)
    assert await entries_of(world, ann) == photos[-max(recent, 1) :]
    for limit in (3, 10, 20):
        assert await world.scroll(ann, limit=limit) == photos[::-1]


@pytest.mark.parametrize("recent", [10, 0])
async def test_old_photos_end(world: World, monkeypatch: pytest.MonkeyPatch, recent: int) -> None:
    """Once a day a read deletes a feed's old entries; the pages stay the same, and clients recover what is left."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(15)]
    assert await world.scroll(ann) == photos[::-1]
    position = await world.feeds.position(ann)
    new = await world.gallery.photo(ann)
    await world.feeds.insert(new, [ann], b"{}")
    photos.append(new)
    monkeypatch.setattr(Feeds, "oldest_id", lambda _: [*photos, MAX_ID][-recent - 1])
    await world.page(ann)
    assert await entries_of(world, ann) == photos  # not on the same day
    await world.redis.execute_command("EXPIRE", world.feeds.log.key(ann), TIME_TO_LIVE - 2 * 86400)
    for limit in (3, 10, 20):
        assert await world.scroll(ann, limit=limit) == photos[::-1]
    assert await entries_of(world, ann) == photos[-max(recent, 1) :]
    assert await world.redis.execute_command("TTL", world.feeds.log.key(ann)) > TIME_TO_LIVE - 86400
    delta = await world.feeds.since(ann, *position)
    assert delta is not None
    assert [entry.id for entry in delta.entries] == [new]


async def test_many_builds_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process builds a few feeds at the same time; the readers of others get their page from PostgreSQL meanwhile."""
    viewers = [await world.gallery.user() for _ in range(BUILDERS + 2)]
    photos = {viewer: await world.gallery.photo(viewer) for viewer in viewers}
    gate, reading, most = asyncio.Event(), 0, 0
    read = photo_lists.newest_ids

    async def gated(*args: Any, limit: int, **options: Any) -> list[int]:
        nonlocal reading, most
        if limit != world.feeds.log.window + 1:
            return await read(*args, limit=limit, **options)
        reading += 1
        most = max(most, reading)
        await gate.wait()
        reading -= 1
        return await read(*args, limit=limit, **options)

    monkeypatch.setattr(photo_lists, "newest_ids", gated)
    first = [asyncio.create_task(world.page(viewer)) for viewer in viewers[:BUILDERS]]
    await eventually(lambda: reading == BUILDERS)
    for viewer in viewers[BUILDERS:]:
        assert ids_of(await world.page(viewer, limit=5)) == [photos[viewer]]
    gate.set()
    assert [ids_of(await page) for page in first] == [[photos[viewer]] for viewer in viewers[:BUILDERS]]
    await eventually(lambda: all_built(world, viewers))
    assert most == BUILDERS


async def test_unfinished_build_elsewhere(world: World) -> None:
    """While another process builds the feed without finishing, the page comes from PostgreSQL."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(3)]
    await world.feeds.log.begin(ann)
    assert ids_of(await world.page(ann, limit=2)) == photos[1:][::-1]


async def test_pages_after_a_loss_of_redis_data(world: World) -> None:
    """After Redis has lost all data, pages are the same as before."""
    ann = await world.gallery.user()
    photos = [await world.gallery.photo(ann) for _ in range(30)]
    assert await world.scroll(ann) == photos[::-1]
    await commands(world.redis).flushall()
    await commands(world.redis).script_flush()
    assert await world.scroll(ann) == photos[::-1]


@pytest.mark.parametrize("seed", range(4))
async def test_random_walk(world: World, seed: int) -> None:
    """After any actions, scrolling from the top returns each photo of the model once, newest first."""
    chance = random.Random(seed)
    ann, *authors = [await world.gallery.user() for _ in range(5)]
    following: set[int] = set()
    photos: dict[int, int] = {}  # id → author
    late: list[int] = []
    await world.feeds.ensure(ann)
    for _ in range(120):
        act = chance.choice(["upload"] * 6 + ["late", "delete", "follow", "unfollow", "lose", "scroll"])
        author = chance.choice(authors)
        if act in ("upload", "late"):
            photo = await world.gallery.photo(author)
            photos[photo] = author
            late.append(photo)
            if act == "upload":
                await _fan_out(world, ann, following, photos, late)
        elif act == "delete" and photos:
            photo = chance.choice(sorted(photos))
            await world.gallery.delete(photo, photos.pop(photo))
            await world.cards.tombstone(photo)
            await world.feeds.remove(photo, [ann], b"body")
        elif act == "follow":
            following.add(author)
            await world.gallery.follow(ann, author)
            await world.feeds.align_author(ann, author)
        elif act == "unfollow":
            following.discard(author)
            await world.gallery.unfollow(ann, author)
            await world.feeds.align_author(ann, author)
        elif act == "lose":
            await world.feeds.discard(ann)
        else:
            chance.shuffle(late)
            await _fan_out(world, ann, following, photos, late)
            expected = sorted((photo for photo, by in photos.items() if by in following), reverse=True)
            assert await world.scroll(ann, chance) == expected


async def _fan_out(world: World, user_id: int, following: set[int], photos: dict[int, int], waiting: list[int]) -> None:
    """Insert the photos that wait, as the workers do: only for those who follow."""
    for photo in waiting:
        if photos.get(photo) in following:
            await world.feeds.insert(photo, [user_id], b"body")
    waiting.clear()
