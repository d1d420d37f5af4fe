"""Feeds in Redis beside a model of the database, and random steps of what users, workers and failures do to both.

The scripts are the product's; what `Feeds`, `Home` and the workers do around them is repeated here over the model, so
that thousands of steps take seconds. Every check compares with the model, which is the truth.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from server.composition.delivery import delivery_script
from storage.feeds.home_split import home_script
from storage.feeds.log_format import AT_HEADER
from storage.feeds.star_logs import FollowedStars, StarLogs
from storage.feeds.stream_log import StreamPosition
from storage.feeds.window_log import TIME_TO_LIVE, Filled, WindowLog
from storage.ids import pack_ids, slot_group, unpack_ids
from storage.models import StarState
from storage.redis.client import Redis
from storage.stores.social.stars import Standing
from tests.support.driver_commands import commands
from tests.support.window_logs import ANN, BOB, DAN

AUTHORS = range(1, 7)
VIEWERS = (ANN, BOB, DAN)  # two of one slot group, and one of another
WINDOW, STAR_WINDOW = 24, 10
HOUR = 3_600_000_000  # microseconds
_OK = 0


@dataclass
class Database:
    """The truth: ready photos with their authors, follows, and stars."""

    photos: dict[int, int] = field(default_factory=dict)  # id → author
    following: dict[int, set[int]] = field(default_factory=lambda: {viewer: set() for viewer in VIEWERS})
    stars: dict[int, Standing] = field(default_factory=dict)

    def home(self, viewer: int, *, before: int | None = None) -> list[int]:
        """Return the ids of a viewer's feed below `before`, newest first."""
        authors = self.following[viewer]
        shown = (photo for photo, author in self.photos.items() if author in authors)
        return sorted((photo for photo in shown if before is None or photo < before), reverse=True)

    def by_author(self, author: int) -> list[int]:
        """Return an author's ids, newest first."""
        return sorted((photo for photo, by in self.photos.items() if by == author), reverse=True)

    def followers(self, author: int) -> list[int]:
        """Return the followers of an author."""
        return [viewer for viewer in VIEWERS if author in self.following[viewer]]

    def standing(self, author: int) -> Standing:
        """Return the standing of an author."""
        return self.stars.get(author, Standing(followers=len(self.followers(author))))

    def followed_stars(self, viewer: int) -> list[int]:
        """Return the stars that a viewer's feed pulls."""
        return [author for author in self.following[viewer] if self.is_listed(author)]

    def is_listed(self, author: int) -> bool:
        """Return whether followers have an author in their lists."""
        return self.standing(author).state in (StarState.PROMOTING, StarState.STAR)


@dataclass(frozen=True)
class Seen:
    """What a client had when it left: its position, and the photos that it showed."""

    position: StreamPosition
    photos: frozenset[int]


@dataclass
class Tally:
    """What was checked."""

    scrolled: int = 0
    recovered: int = 0
    refused: int = 0


class StarWorld:
    """A random sequence of steps; `scroll` and `recover` check what the viewers get."""

    def __init__(self, redis: Redis, seed: int) -> None:
        delivery = delivery_script(redis)
        self.database = Database()
        self.tally = Tally()
        self._redis = redis
        self._chance = random.Random(seed)
        self._log = WindowLog(redis, "feed", delivery, window=WINDOW)
        self._star_logs = StarLogs(redis, delivery, window=STAR_WINDOW)
        self._followed = FollowedStars(redis, delivery, self._log.key, window=WINDOW)
        self._page = home_script(redis)
        self._processing: list[int] = []
        self._waiting: list[int] = []  # ready photos that no worker has distributed yet
        self._seen: dict[int, list[Seen]] = {viewer: [] for viewer in VIEWERS}
        self._last_id = 0

    async def step(self, *actions: str) -> None:
        """Do one of the actions at random."""
        await getattr(self, f"_{self._chance.choice(actions)}")()

    async def scroll(self) -> None:
        """Check that pages of random sizes have every photo of a viewer once, by descending id."""
        viewer = self._chance.choice(VIEWERS)
        scrolled = await self._ids(viewer)
        assert scrolled == sorted(set(scrolled), reverse=True)
        expected = self.database.home(viewer)
        assert set(scrolled) <= set(expected)
        assert set(expected) - set(scrolled) <= set(self._waiting)
        self.tally.scrolled += len(scrolled)

    async def recover(self) -> None:
        """Check that a client has all photos of its viewer after recovery, or is refused."""
        viewer = self._chance.choice(VIEWERS)
        if not self._seen[viewer]:
            return
        seen = self._chance.choice(self._seen[viewer])
        delta = await self._log.since(viewer, *seen.position)
        if delta is None:
            self.tally.refused += 1
            return
        photos = set(seen.photos)
        for entry in delta.entries:
            assert seen.position.offset < entry.offset <= delta.position.offset
            (photos.discard if entry.removed else photos.add)(entry.id)
        assert photos - set(self._waiting) == set(self.database.home(viewer)) - set(self._waiting)
        self.tally.recovered += 1

    async def _ids(self, viewer: int) -> list[int]:
        """Return all ids from the top to the end, in pages of random sizes."""
        ids: list[int] = []
        before: int | None = None
        while True:
            limit = self._chance.randint(1, 12)
            found, more = await self._read(viewer, before, limit)
            assert len(found) == limit or not more
            ids += found
            if not more or not found:
                return ids
            before = found[-1]

    async def _read(self, viewer: int, before: int | None, limit: int) -> tuple[list[int], bool]:
        """Return a page and whether there is another one, as `Home.page` does."""
        group = slot_group(viewer)
        keys = [self._log.key(viewer), *(b"%b:{%d}:%d" % (name, group, viewer) for name in (b"liked", b"q", b"r"))]
        arguments = (b"" if before is None else pack_ids([before]), limit, 0, 0, 0, TIME_TO_LIVE, WINDOW, bytes(8))
        for _ in range(3):
            reply = await self._page.run(self._redis, keys, arguments)
            if reply[0] == _OK:
                break
            await self._build_for(viewer)
        else:
            return self._continued(viewer, [], before, limit)
        _, _, whole, more, lowest, packed, *_ = reply
        ids = list(unpack_ids(packed))
        if more or whole or len(ids) == limit:
            return ids, bool(more or not whole)
        bound = int.from_bytes(lowest, "big") & ~(1 << 63) if lowest else before
        below = bound if before is None or bound is None else min(before, bound)
        return self._continued(viewer, ids, below, limit)

    def _continued(self, viewer: int, ids: list[int], below: int | None, limit: int) -> tuple[list[int], bool]:
        rest = self.database.home(viewer, before=below)
        wanted = limit - len(ids)
        return ids + rest[:wanted], len(rest) > wanted

    async def _leave(self) -> None:
        """Have a client of a viewer leave, with its position and all photos."""
        viewer = self._chance.choice(VIEWERS)
        for _ in range(3):
            head = await self._log.head(viewer)
            if head is not None and not head.building:
                photos = frozenset(await self._ids(viewer))
                self._seen[viewer].append(Seen(StreamPosition(str(head.epoch), head.top), photos))
                return
            await self._build_for(viewer)

    async def _upload(self) -> None:
        """Upload one photo, or as many as fill a star's log, and distribute them at once."""
        author = self._chance.choice(AUTHORS)
        for _ in range(self._chance.choice([1, 1, 1, 1, 1, 1, 1, STAR_WINDOW + 8])):
            photo = self._new_id()
            self.database.photos[photo] = author
            await self._distribute(photo)

    async def _process(self) -> None:
        """Upload a photo that becomes ready later."""
        self._processing.append(self._new_id())

    async def _finish(self) -> None:
        """Make a photo ready, but do not distribute it yet."""
        if self._processing:
            photo = self._processing.pop(self._chance.randrange(len(self._processing)))
            self.database.photos[photo] = self._chance.choice(AUTHORS)
            self._waiting.append(photo)

    async def _fan_out(self) -> None:
        """Distribute the ready photos in any order, and some twice."""
        self._chance.shuffle(self._waiting)
        while self._waiting:
            photo = self._waiting.pop()
            for _ in range(self._chance.choice([1, 2])):
                await self._distribute(photo)

    async def _delete(self) -> None:
        if not self.database.photos:
            return
        photo = self._chance.choice(sorted(self.database.photos)[-3 * WINDOW :])
        author = self.database.photos.pop(photo)
        self._waiting = [each for each in self._waiting if each != photo]
        standing = self.database.standing(author)
        if not standing.announces(photo) or not await self._star_logs.remove(author, photo, b"body"):
            await self._log.remove(photo, self.database.followers(author), b"body")

    async def _follow(self) -> None:
        viewer, author = self._chance.choice(VIEWERS), self._chance.choice(AUTHORS)
        self.database.following[viewer].add(author)
        self._seen[viewer].clear()  # merged photos are not published
        if self.database.is_listed(author):
            await self._followed.add(author, [viewer])
        await self._log.merge(viewer, self.database.by_author(author)[: self._log.capacity])

    async def _unfollow(self) -> None:
        viewer, author = self._chance.choice(VIEWERS), self._chance.choice(AUTHORS)
        self.database.following[viewer].discard(author)
        self._seen[viewer].clear()
        if author in self.database.stars:
            await self._followed.remove(author, [viewer])
        await self._log.drop(viewer, self.database.by_author(author)[: self._log.capacity + len(self._waiting)])

    async def _promote(self) -> None:
        """Begin a promotion, or serve its followers and complete it."""
        author = self._chance.choice(AUTHORS)
        standing = self.database.standing(author)
        if standing.state is None:
            self._set_star(author, StarState.PROMOTING)
            await self._star_logs.open(author)
        elif standing.state is StarState.PROMOTING:
            await self._followed.add(author, self.database.followers(author))
            self._set_star(author, StarState.STAR, self._new_id())

    async def _demote(self) -> None:
        """Begin a demotion, or serve its followers and complete it."""
        author = self._chance.choice(AUTHORS)
        standing = self.database.standing(author)
        if standing.state is StarState.STAR:
            self._set_star(author, StarState.DEMOTING, standing.since_id)
        elif standing.state is StarState.DEMOTING:
            await self._followed.remove(author, self.database.followers(author))
            await self._star_logs.close(author)
            del self.database.stars[author]

    async def _build(self) -> None:
        await self._build_for(self._chance.choice(VIEWERS))

    async def _lose_feed(self) -> None:
        await self._log.discard(self._chance.choice(VIEWERS))

    async def _lose_list(self) -> None:
        await self._followed.discard(self._chance.choice(VIEWERS))

    async def _lose_star_log(self) -> None:
        packed = pack_ids([self._chance.choice(sorted(self.database.stars) or AUTHORS)])
        await commands(self._redis).delete(b"star:{%d}:%b" % (self._group(), packed))

    async def _lose_heads(self) -> None:
        await commands(self._redis).delete(b"starheads:{%d}" % self._group())

    async def _step_clock_back(self) -> None:
        """Have the clock of a server step back by an hour: positions that clients have are ahead of it from then on."""
        viewer = self._chance.choice(VIEWERS)
        head, clock = await self._log.head(viewer), b"clock:{%d}" % slot_group(viewer)
        if head is not None and not head.building:
            ahead = int(await commands(self._redis).get(clock) or 0) + HOUR
            await commands(self._redis).setrange(self._log.key(viewer), AT_HEADER + 8, ahead.to_bytes(8, "big"))
            await commands(self._redis).set(clock, ahead)

    async def _build_for(self, viewer: int) -> None:
        """Build a feed if there is none, while other things happen."""
        building = await self._log.begin(viewer)
        filled = Filled.CHANGED if building.mine else Filled.DONE
        while filled is Filled.CHANGED:
            ids, stars = self.database.home(viewer), self.database.followed_stars(viewer)
            for _ in range(self._chance.choice([0, 0, 1, 4])):
                await self.step(
                    "upload", "finish", "fan_out", "follow", "unfollow", "delete", *["promote"] * 4, "demote"
                )
            complete = len(ids) <= WINDOW
            filled, building = await self._log.fill(viewer, building, ids[:WINDOW], complete=complete, stars=stars)

    async def _distribute(self, photo: int) -> None:
        author = self.database.photos[photo]
        announces = self.database.standing(author).announces(photo)
        if not announces or not await self._star_logs.announce(author, photo, b"body"):
            await self._log.insert(photo, self.database.followers(author), b"body")

    def _set_star(self, author: int, state: StarState, since_id: int | None = None) -> None:
        self.database.stars[author] = Standing(followers=0, state=state, since_id=since_id)

    def _group(self) -> int:
        return slot_group(self._chance.choice(VIEWERS))

    def _new_id(self) -> int:
        self._last_id += self._chance.choice([1, 1, 5])
        return self._last_id


ACTIONS: Sequence[str] = [
    *["upload"] * 8, *["process"] * 2, *["finish"] * 2, *["fan_out"] * 2, *["follow"] * 2, "unfollow", *["delete"] * 3,
    *["promote"] * 4, *["demote"] * 2, *["leave"] * 3, "build", "lose_feed",
]  # fmt: skip
CHECKED = 0.4  # of the steps
LOSSES: Sequence[str] = ["lose_list", "lose_star_log", "lose_heads", "step_clock_back"]


async def walk(redis: Any, seed: int, *, steps: int) -> Tally:
    """Do random steps, and check a scroll or a recovery now and then; return what was checked."""
    world, chance = StarWorld(redis, seed), random.Random(seed)
    # Without losses most recoveries succeed; with them most feeds are built again.
    actions = [*ACTIONS, *(LOSSES if seed % 2 else ())]
    for _ in range(steps):
        await world.step(*actions)
        # Not after each: a scroll pulls, so that there would seldom be more than one announcement to pull.
        if chance.random() < CHECKED:
            await chance.choice([world.scroll, world.recover, world.recover])()
    return world.tally
