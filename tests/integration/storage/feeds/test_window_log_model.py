"""A window log and the database together: full scrolls compared with a model of what PostgreSQL holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.feeds.window_log import Filled, WindowLog
from tests.support.window_logs import ANN

pytestmark = pytest.mark.engines

AUTHORS = range(3)
STEPS = 300


class Model:
    """PostgreSQL's side: the ready photos with their authors, and the authors that the viewer follows."""

    def __init__(self) -> None:
        self.photos: dict[int, int] = {}  # id → author
        self.following: set[int] = set(AUTHORS)

    def home(self, *, before: int | None = None) -> list[int]:
        """Return the ids of the viewer's feed below `before`, newest first."""
        shown = [photo for photo, author in self.photos.items() if author in self.following]
        return sorted((photo for photo in shown if before is None or photo < before), reverse=True)

    def by_author(self, author: int) -> list[int]:
        """Return an author's ids, newest first."""
        return sorted((photo for photo, by in self.photos.items() if by == author), reverse=True)


class Walk:
    """A random sequence of what users and workers do, with one viewer's log and the model side by side."""

    def __init__(self, log: WindowLog, seed: int) -> None:
        self.model = Model()
        self.waiting: list[int] = []  # ready photos that no worker has inserted yet
        self._log = log
        self._chance = random.Random(seed)
        self._processing: list[int] = []
        self._last_id = 0

    async def step(self, *actions: str) -> None:
        """Do one of the actions at random."""
        await getattr(self, f"_{self._chance.choice(actions)}")()

    async def scroll(self) -> list[int]:
        """Return all ids from the top to the end, as the home feed reads them."""
        view = await self._log.read(ANN)
        if view is None or view.building:
            return self.model.home()
        ids = [entry.id for entry in reversed(view.entries) if not entry.removed]
        if view.complete:
            return ids
        lowest = view.entries[0].id if view.entries else None
        return ids + self.model.home(before=lowest)

    async def _upload(self) -> None:
        """Upload one photo, or so many that they fill the log, and insert them at once."""
        author = self._chance.choice(AUTHORS)
        for _ in range(self._chance.choice([1, 1, 1, 2 * self._log.window])):
            photo = self._new_id()
            self.model.photos[photo] = author
            await self._insert(photo)

    async def _process(self) -> None:
        """Upload a photo that becomes ready later."""
        self._processing.append(self._new_id())

    async def _finish(self) -> None:
        """Make a photo ready, but do not insert it yet."""
        if self._processing:
            photo = self._processing.pop(self._chance.randrange(len(self._processing)))
            self.model.photos[photo] = self._chance.choice(AUTHORS)
            self.waiting.append(photo)

    async def _fan_out(self) -> None:
        """Insert the ready photos in any order."""
        self._chance.shuffle(self.waiting)
        while self.waiting:
            await self._insert(self.waiting.pop())

    async def _follow(self) -> None:
        author = self._chance.choice(AUTHORS)
        self.model.following.add(author)
        await self._log.merge(ANN, self.model.by_author(author)[: self._log.capacity])

    async def _unfollow(self) -> None:
        author = self._chance.choice(AUTHORS)
        self.model.following.discard(author)
        await self._log.drop(ANN, self.model.by_author(author)[: self._log.capacity + len(self.waiting)])

    async def _delete(self) -> None:
        if self.model.photos:
            photo = self._chance.choice(sorted(self.model.photos)[-2 * self._log.capacity :])
            if self.model.photos.pop(photo) in self.model.following:
                await self._log.remove(photo, [ANN], b"body")
            self.waiting = [each for each in self.waiting if each != photo]

    async def _lose(self) -> None:
        await self._log.discard(ANN)

    async def _build(self) -> None:
        """Build the log if there is none, while other things happen."""
        building = await self._log.begin(ANN)
        filled = Filled.CHANGED if building.mine else Filled.DONE
        while filled is Filled.CHANGED:
            ids, window = self.model.home(), self._log.window
            for _ in range(self._chance.choice([0, 0, 1, 2])):
                await self.step("upload", "finish", "fan_out", "follow", "unfollow", "delete")
            filled, building = await self._log.fill(ANN, building, ids[:window], complete=len(ids) <= window)

    async def _insert(self, photo: int) -> None:
        if self.model.photos[photo] in self.model.following:
            await self._log.insert(photo, [ANN], b"body")

    def _new_id(self) -> int:
        self._last_id += self._chance.choice([1, 1, 5])
        return self._last_id


ACTIONS: Sequence[str] = [
    *["upload"] * 3, *["process"] * 2, *["finish"] * 2, "fan_out", "follow", "follow", "unfollow",
    "delete", "delete", "build", "build", "lose",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
async def test_scrolls_have_what_the_database_has(redis: Any, seed: int) -> None:
    """After any actions a scroll has every photo of the database once, except those that are not inserted yet."""
    walk = Walk(WindowLog(redis, "feed", delivery_script(redis), window=6), seed)
    for _ in range(STEPS):
        await walk.step(*ACTIONS)
        scrolled, expected = await walk.scroll(), walk.model.home()
        assert scrolled == sorted(set(scrolled), reverse=True)
        assert set(scrolled) <= set(expected)
        assert set(expected) - set(scrolled) <= set(walk.waiting)
