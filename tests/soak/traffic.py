"""What people do all the while: upload, like and take it back, comment, delete; and what of it was acknowledged."""

from __future__ import annotations

import asyncio
import io
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from PIL import Image

from tests.soak.api import TROUBLE, Api
from tests.soak.crowd import Crowd, Member
from tests.soak.tally import Tally

_colours = itertools.count(1)
RECENT = 30  # photos that are liked and commented on


class Traffic:
    """A steady mix of requests, each by a person drawn at random; `photos` are those acknowledged and not deleted."""

    def __init__(self, crowd: Crowd, tally: Tally, rng: random.Random) -> None:
        self.photos: dict[str, Member] = {}
        self.deleting: set[str] = set()
        self._crowd = crowd
        self._api: Api = crowd.api
        self._tally = tally
        self._rng = rng

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on for the time of the block."""
        works: dict[Callable[[], Awaitable[None]], float] = {
            self._upload: 2.0,
            self._like: 8.0,
            self._unlike: 3.0,
            self._comment: 2.0,
            self._delete: 0.2,
        }
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._repeat(work, rate)) for work, rate in works.items()]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _repeat(self, work: Callable[[], Awaitable[None]], rate: float) -> None:
        """Do it so many times a second, on average."""
        while True:
            await asyncio.sleep(self._rng.expovariate(rate))
            try:
                await work()
            except TROUBLE:
                self._tally.requests["failed"] += 1

    async def _upload(self) -> None:
        member, picture, key = self._rng.choice(self._crowd.members), _picture(), uuid.uuid4().hex
        photo = None
        # What was not answered is repeated with the same key, until it is.
        while photo is None:
            form = aiohttp.FormData()
            form.add_field("file", picture, filename="picture.jpg", content_type="image/jpeg")
            try:
                headers = {"Idempotency-Key": key}
                photo = await self._api.call(member.token, "POST", "/photos", data=form, headers=headers)
            except TROUBLE:
                self._tally.requests["failed"] += 1
                await asyncio.sleep(0.2)
        self.photos[photo["id"]] = member
        self._tally.requests["uploads"] += 1

    async def _like(self) -> None:
        await self._react("likes", "PUT", "/photos/{}/like")

    async def _unlike(self) -> None:
        await self._react("unlikes", "DELETE", "/photos/{}/like")

    async def _comment(self) -> None:
        await self._react("comments", "POST", "/photos/{}/comments", json={"text": "A comment."})

    async def _react(self, what: str, method: str, path: str, **options: object) -> None:
        if self.photos:
            photo = self._rng.choice(list(self.photos)[-RECENT:])
            member = self._rng.choice(self._crowd.members)
            await self._api.call(member.token, method, path.format(photo), **options)
            self._tally.requests[what] += 1

    async def _delete(self) -> None:
        if len(self.photos) > RECENT:
            photo = self._rng.choice(list(self.photos))
            member = self.photos.pop(photo)
            # Whether or not it is answered, it may have happened.
            self.deleting.add(photo)
            await self._api.call(member.token, "DELETE", f"/photos/{photo}")
            self._tally.requests["deletions"] += 1


def _picture() -> bytes:
    number = next(_colours)
    image = Image.new("RGB", (32, 24), (number * 37 % 256, number * 91 % 256, number * 151 % 256))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()
