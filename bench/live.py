"""Latency of live delivery on an idle service: like → owner's socket, upload answered → follower's socket.

The service is a real `picshare run` with engines as it embeds them. The client that acts also receives, so one clock is
enough. The yardstick, `bench.delivery_floor`, is measured in the same rounds on the same engines; for an upload the
decoder's work on the same picture is added to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from bench.delivery_floor import DeliveryFloor, delivery_floor
from bench.live_service import LiveSocket, live_service
from bench.new_likes import NewLikes
from bench.report import RATIO, Figure, figure, percentile, ratios
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph
from workers.images.pool import Decoder

LIKES, UPLOADS = "like → owner's socket", "upload answered → follower's socket"
FLOOR = "empty transaction + PUBLISH + write"
PAUSE = 0.03  # seconds between two actions: the service is idle when each begins
LIKE_GOAL, LIKE_P99_GOAL, UPLOAD_GOAL = 2.0, 8.0, 2.0


@dataclass(kw_only=True)
class _Delays:
    """One value a run, in milliseconds."""

    like_p50: list[float] = field(default_factory=list)
    like_p99: list[float] = field(default_factory=list)
    floor_p50: list[float] = field(default_factory=list)
    floor_p99: list[float] = field(default_factory=list)
    upload: list[float] = field(default_factory=list)
    image: list[float] = field(default_factory=list)


async def measure(*, quick: bool) -> list[Figure]:
    """Return p50 and p99 of both ways, several runs each, and their ratios to the yardstick."""
    runs, likes, uploads = (2, 30, 5) if quick else (5, 200, 20)
    measured = _Delays()
    async with _service() as (url, floor, new_likes), aiohttp.ClientSession() as http:
        owner = await ApiUser.sign_up(http, url)
        fan = await ApiUser.sign_up(http, url)
        await fan.follow(owner)
        async with LiveSocket.connect(http, owner) as owners, LiveSocket.connect(http, fan) as fans:
            photo = await owner.upload(photograph())
            await fans.until("photo.new", photo["id"])
            await like_delays(fan, photo["id"], owners, 10, new_likes)
            await floor.delays(10, PAUSE)
            for _ in range(runs):
                delays = await like_delays(fan, photo["id"], owners, likes, new_likes)
                floors = await floor.delays(likes, PAUSE)
                measured.like_p50.append(percentile(delays, 0.5))
                measured.like_p99.append(percentile(delays, 0.99))
                measured.floor_p50.append(percentile(floors, 0.5))
                measured.floor_p99.append(percentile(floors, 0.99))
                measured.upload.append(percentile(await upload_delays(owner, fans, uploads), 0.5))
                measured.image.append(percentile(await _image_work(uploads), 0.5))
    return [*_like_figures(measured), *_upload_figures(measured)]


def _like_figures(measured: _Delays) -> list[Figure]:
    return [
        figure(LIKES, "p50, idle", "ms", measured.like_p50),
        figure(LIKES, "p99, idle", "ms", measured.like_p99),
        figure(LIKES, f"{FLOOR}, p50", "ms", measured.floor_p50),
        figure(LIKES, f"{FLOOR}, p99", "ms", measured.floor_p99),
        figure(
            LIKES,
            f"p50 : {FLOOR}",
            RATIO,
            ratios(measured.like_p50, measured.floor_p50),
            at_most=LIKE_GOAL,
            limit=f"{FLOOR}: what the engines and the kernel need for one durable change that is delivered",
        ),
        figure(
            LIKES,
            f"p99 : {FLOOR}",
            RATIO,
            ratios(measured.like_p99, measured.floor_p99),
            at_most=LIKE_P99_GOAL,
            limit="the same chain at its own 99th percentile",
        ),
    ]


def _upload_figures(measured: _Delays) -> list[Figure]:
    least = [image + floor for image, floor in zip(measured.image, measured.floor_p50, strict=True)]
    rest = [whole - image for whole, image in zip(measured.upload, measured.image, strict=True)]
    return [
        figure(UPLOADS, "p50, 640×427 JPEG", "ms", measured.upload),
        figure(UPLOADS, "image work alone, p50", "ms", measured.image),
        figure(UPLOADS, "everything but image work", "ms", rest),
        figure(UPLOADS, f"everything but image work : {FLOOR}", RATIO, ratios(rest, measured.floor_p50)),
        figure(
            UPLOADS,
            "p50 : image work and one such delivery",
            RATIO,
            ratios(measured.upload, least),
            at_most=UPLOAD_GOAL,
            limit=f"the decoder alone on the same picture, then {FLOOR}",
        ),
    ]


async def like_delays(
    fan: ApiUser, photo_id: str, owners: LiveSocket, count: int, new_likes: NewLikes | None = None
) -> list[float]:
    """Return the milliseconds from the request of each like until it arrives at the owner's socket.

    With `new_likes` each like is a new one. Without, all but the first repeat one of the same day.
    """
    delays = []
    for _ in range(count):
        started = time.perf_counter()
        (await fan.call("PUT", f"/photos/{photo_id}/like")).expect(200)
        delays.append((await owners.until("notification", photo_id) - started) * 1000)
        (await fan.call("DELETE", f"/photos/{photo_id}/like")).expect(200)
        if new_likes is not None:
            await new_likes.forget()
        await asyncio.sleep(PAUSE)
    return delays


async def upload_delays(owner: ApiUser, fans: LiveSocket, count: int) -> list[float]:
    """Return the milliseconds from the response to each upload until it arrives at a follower's socket."""
    delays = []
    for _ in range(count):
        photo = await owner.upload(photograph())
        answered = time.perf_counter()
        delays.append((await fans.until("photo.new", photo["id"]) - answered) * 1000)
        await asyncio.sleep(PAUSE)
    return delays


async def _image_work(count: int) -> list[float]:
    """Return how long the decoder alone takes for the same picture, in milliseconds, after a first run."""
    delays = []
    decoder = Decoder(processes=1)
    try:
        await decoder.variants(photograph())
        for _ in range(count):
            started = time.perf_counter()
            await decoder.variants(photograph())
            delays.append((time.perf_counter() - started) * 1000)
    finally:
        await decoder.close()
    return delays


@asynccontextmanager
async def _service() -> AsyncIterator[tuple[str, DeliveryFloor, NewLikes]]:
    """Run the service and the yardstick on the same engines; yield the service's URL and the yardstick."""
    async with (
        live_service() as service,
        delivery_floor(service.dsn, service.redis_url) as floor,
        NewLikes.open(service.dsn) as new_likes,
    ):
        yield service.url, floor, new_likes
