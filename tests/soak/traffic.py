"""Constant traffic: uploads, likes, unlikes, comments, deletions; and what of it was acknowledged."""

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

from tests.soak.api import REQUEST_ERRORS, Api
from tests.soak.population import Member, Population
from tests.soak.report import Report

_colours = itertools.count(1)
RECENT = 30  # the number of newest photos that are liked and commented on


class Traffic:
    """A steady mix of requests, each by a random user; `photos` are those acknowledged and not deleted."""

    def __init__(self, population: Population, report: Report, rng: random.Random) -> None:
        self.photos: dict[str, Member] = {}
        self.deleting: set[str] = set()
        self._population = population
        self._api: Api = population.api
        self._report = report
        self._rng = rng

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send requests until the end of the block."""
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
        """Repeat work at an average rate per second."""
        while True:
            await asyncio.sleep(self._rng.expovariate(rate))
            try:
                await work()
            except REQUEST_ERRORS:
                self._report.requests["failed"] += 1

    async def _upload(self) -> None:
        member, picture, key = self._rng.choice(self._population.members), _picture(), uuid.uuid4().hex
        photo = None
        # An upload without a response is repeated with the same key.
        while photo is None:
            form = aiohttp.FormData()
            form.add_field("file", picture, filename="picture.jpg", content_type="image/jpeg")
            try:
                headers = {"Idempotency-Key": key}
                photo = await self._api.call(member.token, "POST", "/photos", data=form, headers=headers)
            except REQUEST_ERRORS:
                self._report.requests["failed"] += 1
                await asyncio.sleep(0.2)
        self.photos[photo["id"]] = member
        self._report.requests["uploads"] += 1

    async def _like(self) -> None:
        await self._react("likes", "PUT", "/photos/{}/like")

    async def _unlike(self) -> None:
        await self._react("unlikes", "DELETE", "/photos/{}/like")

    async def _comment(self) -> None:
        await self._react("comments", "POST", "/photos/{}/comments", json={"text": "A comment."})

    async def _react(self, kind: str, method: str, path: str, **options: object) -> None:
        if self.photos:
            photo = self._rng.choice(list(self.photos)[-RECENT:])
            member = self._rng.choice(self._population.members)
            await self._api.call(member.token, method, path.format(photo), **options)
            self._report.requests[kind] += 1

    async def _delete(self) -> None:
        if len(self.photos) > RECENT:
            photo = self._rng.choice(list(self.photos))
            member = self.photos.pop(photo)
            # The deletion may happen even if the request fails.
            self.deleting.add(photo)
            await self._api.call(member.token, "DELETE", f"/photos/{photo}")
            self._report.requests["deletions"] += 1


def _picture() -> bytes:
    number = next(_colours)
    image = Image.new("RGB", (32, 24), (number * 37 % 256, number * 91 % 256, number * 151 % 256))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()
