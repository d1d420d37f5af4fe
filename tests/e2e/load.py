"""A steady load of uploads and likes, and the comparison of what was acknowledged with what arrived."""

from __future__ import annotations

import asyncio
import io
import itertools
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from PIL import Image

from tests.support.api_user import ApiUser, Live
from tests.support.eventually import eventually

PAUSE = 0.15  # seconds between two requests


@dataclass(frozen=True)
class Attempt:
    """An upload between two moments of `time.monotonic`, and its status; 0 without a response."""

    author: ApiUser
    started: float
    ended: float
    status: int


class Load:
    """Two authors upload, three followers are connected and like photos; each uses the processes in turn."""

    def __init__(
        self, apis: list[str], authors: list[ApiUser], fans: list[ApiUser], lives: list[Live], pause: float = PAUSE
    ) -> None:
        self._pause = pause
        self._apis = itertools.cycle(apis)
        self.authors = authors
        self._fans = fans
        self._lives = lives
        self._colours = itertools.count(1)
        self.acknowledged: list[str] = []
        self.liked: list[tuple[str, str]] = []
        self.attempts: list[Attempt] = []  # of uploads, in the order of their ends

    @classmethod
    async def prepare(
        cls, http: aiohttp.ClientSession, *, apis: list[str], lives: list[str], pause: float = PAUSE
    ) -> Load:
        """Create the users and their follows, and connect the followers live.

        `pause` is the time between two requests of a user, in seconds.
        """
        turn = itertools.cycle(apis)
        authors = [await ApiUser.sign_up(http, next(turn)) for _ in range(2)]
        fans = [await ApiUser.sign_up(http, next(turn)) for _ in range(3)]
        for fan in fans:
            for author in authors:
                await fan.follow(author)
        addresses = itertools.cycle(lives)
        return cls(apis, authors, fans, [await fan.go_live(next(addresses)) for fan in fans], pause)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send the load until the end of the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._keep_uploading(author)) for author in self.authors]
            tasks.append(group.create_task(self._keep_liking()))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def until(self, *, acknowledged: int) -> None:
        """Wait until this many uploads have been acknowledged in total."""
        await eventually(lambda: len(self.acknowledged) >= acknowledged, within=60)

    async def for_a_while(self, seconds: float) -> None:
        """Continue the load for some time, the length of an outage."""
        await asyncio.sleep(seconds)

    def failures_since(self, moment: float) -> list[Attempt]:
        """Return the uploads that began after `moment` and were not acknowledged."""
        return [each for each in self.attempts if each.started > moment and each.status != 201]

    def first_success_since(self, moment: float) -> float:
        """Return after how many seconds an upload of the first author that began after `moment` was acknowledged."""
        own = (each for each in self.attempts if each.author is self.authors[0])
        return next(each.ended for each in own if each.started > moment and each.status == 201) - moment

    async def missing(self) -> set[str]:
        """Return the acknowledged photos that some follower does not see in the feed."""
        seen = [{item["id"] for item in await fan.feed()} for fan in self._fans]
        return set(self.acknowledged) - set.intersection(*seen)

    async def first_arrival_since(self, moment: float, *, within: float) -> float:
        """Wait until a photo that was acknowledged after `moment` reaches a follower live; return after how long."""
        known = set(self.acknowledged)

        def arrived() -> bool:
            return any(self._lives[0].has_photo(photo) for photo in set(self.acknowledged) - known)

        await eventually(arrived, within=within)
        return time.monotonic() - moment

    async def everything_arrives(self, *, within: float, refetched: bool = False) -> None:
        """Wait until every follower has every acknowledged photo once, live and in the feed, and every like counts.

        With `refetched`, a follower whose stream was not recovered may have missed some of it: its client has to fetch
        the feed.
        """
        expected = set(self.acknowledged)

        async def arrived() -> bool:
            for fan, live in zip(self._fans, self._lives, strict=True):
                received = Counter(item["photo"]["id"] for item in live.of("feed", "photo.new"))
                if not (refetched and live.recovered.count(("feed", False)) > 1):
                    assert not expected - received.keys(), f"{fan.name} never received {expected - received.keys()}"
                fan.url = next(self._apis)
                listed = Counter(item["id"] for item in await fan.feed())
                assert not expected - listed.keys(), f"{fan.name} does not see {expected - listed.keys()}"
                assert not [photo for photo, times in listed.items() if times > 1]
                assert not [photo for photo, times in received.items() if times > 1], "a photo was published twice"
            return True

        await eventually(arrived, within=within)
        likers = {photo: await self._likers(photo) for photo, _ in self.liked}
        assert not [(photo, name) for photo, name in self.liked if name not in likers[photo]]

        async def counted() -> bool:
            # The feed has the counters of Redis, and the lists have the rows.
            numbers = {item["id"]: item["likes"] for item in await self._fans[0].feed()}
            return all(numbers[photo] == len(names) for photo, names in likers.items())

        await eventually(counted, within=within)

    async def _likers(self, photo: str) -> set[str]:
        users = (await self.authors[0].call("GET", f"/photos/{photo}/likes")).expect(200)["items"]
        return {user["username"] for user in users}

    async def close(self) -> None:
        """Disconnect the followers."""
        for fan in self._fans:
            await fan.leave()

    async def _keep_uploading(self, author: ApiUser) -> None:
        while True:
            picture, key = self._picture(), uuid.uuid4().hex
            # A client repeats an upload without a response, with the same key.
            photo = None
            while photo is None:
                photo = await self._try(author, picture, key)
                await asyncio.sleep(self._pause)
            self.acknowledged.append(photo)

    async def _try(self, author: ApiUser, picture: bytes, key: str) -> str | None:
        author.url, started = next(self._apis), time.monotonic()
        try:
            response = await author.try_upload(picture, "under load", key=key)
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.attempts.append(Attempt(author, started, time.monotonic(), 0))
            return None
        self.attempts.append(Attempt(author, started, time.monotonic(), response.status))
        if response.status == 201:
            return str(response.json["id"])
        assert response.status in {409, 429, 503}, f"{response.status}: {response.body[:300]!r}"
        return None

    async def _keep_liking(self) -> None:
        done = 0
        while True:
            await asyncio.sleep(self._pause)
            if done >= len(self.acknowledged):
                continue
            fan, photo = self._fans[done % len(self._fans)], self.acknowledged[done]
            fan.url = next(self._apis)
            try:
                response = await fan.call("PUT", f"/photos/{photo}/like")
            except (aiohttp.ClientError, TimeoutError, OSError):
                continue
            if response.status == 200:
                self.liked.append((photo, fan.name))
                done += 1

    def _picture(self) -> bytes:
        number = next(self._colours)
        image = Image.new("RGB", (64, 48), (number * 37 % 256, number * 91 % 256, number * 151 % 256))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG")
        return buffer.getvalue()
