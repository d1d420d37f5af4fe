"""Where the time of a like and of a photo goes on its way to a socket, step by step, on the idle service.

The service is `bench.traced_service`, with engines as `picshare run` embeds them. Each step is the time between two
marks that follow each other on the way, so the steps add up to the whole. The yardstick of `bench.live` is measured in
the same rounds, in its parts: they are the least that such steps take on this machine.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from bench.delivery_floor import DeliveryFloor, delivery_floor
from bench.live import PAUSE
from bench.live_service import LiveSocket, live_service
from bench.new_likes import NewLikes
from bench.report import Figure, figure
from bench.traced_service import FILE
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph

LIKE, PHOTO, FLOOR = "like, step by step", "photo, step by step", "the yardstick's parts"

Steps = Sequence[tuple[str, str]]  # (mark at the end of a step, what happens in it)

LIKE_STEPS: Steps = (
    ("action", "request: HTTP, token, session and rate limit in Redis"),
    ("begun", "BEGIN"),
    ("liked", "the like and its counter"),
    ("emitted", "outbox row"),
    ("committed", "COMMIT, flushed to disk"),
    ("notify woken", "the worker is woken"),
    ("notify claimed", "claim: BEGIN, SELECT … FOR UPDATE"),
    ("decoded event", "event decoded"),
    ("in turn", "the turn of this process"),
    ("lock held", "inbox's lock"),
    ("locked", "BEGIN"),
    ("looked up", "the like and its place in the inbox"),
    ("named", "accounts of the actors"),
    ("recorded", "entry written"),
    ("read back", "entry and counters read"),
    ("pushed", "COMMIT, flushed to disk"),
    ("delivered", "Redis: script, publication, to the live layer"),
    ("received", "encoded, written, read by the client"),
)
PHOTO_STEPS: Steps = (
    ("media woken", "the worker is woken"),
    ("media claimed", "claim: BEGIN, SELECT … FOR UPDATE"),
    ("processing", "photo read, and whether earlier ones wait"),
    ("decoding", "image work begins"),
    ("decoded image", "rights read, original read, image work in another process"),
    ("stored", "variants stored, under a lease that was taken meanwhile"),
    ("committed", "photo marked as ready, a transaction flushed to disk"),
    ("fanout woken", "the worker is woken"),
    ("fanout claimed", "claim: BEGIN, SELECT … FOR UPDATE"),
    ("fan-out", "event decoded"),
    ("rendered", "card, followers, star? counters"),
    ("delivered", "Redis: script, publication, to the live layer"),
    ("received", "encoded, written, read by the client"),
)


class Marks:
    """The marks that the service has written to a file since they were last taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = 0

    def take(self) -> list[tuple[str, float]]:
        """Return (step, time on the clock of `time.perf_counter`) of each new mark, oldest first."""
        data = self._path.read_bytes()[self._taken :]
        data = data[: data.rfind(b"\n") + 1]
        self._taken += len(data)
        lines = (line.split("\t") for line in data.decode().splitlines())
        return [(step, float(moment)) for step, moment in lines]


def durations(steps: Steps, marks: Sequence[tuple[str, float]], *, start: float, end: float) -> list[float]:
    """Return the milliseconds of each step: each ends with the first mark of its name after the step before.

    `end` is when the last step ended, which has no mark. Raises ValueError if a mark is missing.
    """
    found, before = [], start
    for name, what in steps[:-1]:
        moment = min((at for step, at in marks if step == name and at >= before), default=None)
        if moment is None:
            raise ValueError(f"no mark {name!r} at the end of: {what}")
        found.append((moment - before) * 1000)
        before = moment
    return [*found, (end - before) * 1000]


async def measure(*, quick: bool) -> list[Figure]:
    """Return the median milliseconds of each step, several runs each."""
    runs, likes, uploads = (2, 30, 5) if quick else (5, 200, 20)
    async with AsyncExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-"))) / "marks"
        path.touch()
        service = await stack.enter_async_context(live_service(module="bench.traced_service", env={FILE: str(path)}))
        floor = await stack.enter_async_context(delivery_floor(service.dsn, service.redis_url))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        owner, fan = await ApiUser.sign_up(http, service.url), await ApiUser.sign_up(http, service.url)
        await fan.follow(owner)
        owners = await stack.enter_async_context(LiveSocket.connect(http, owner))
        fans = await stack.enter_async_context(LiveSocket.connect(http, fan))
        new_likes = await stack.enter_async_context(NewLikes.open(service.dsn))
        photo = await owner.upload(photograph())
        await fans.until("photo.new", photo["id"])
        marks = Marks(path)
        ways: dict[str, tuple[Steps, Callable[[], Awaitable[list[float]]], int]] = {
            LIKE: (LIKE_STEPS, lambda: _like(fan, photo["id"], owners, new_likes, marks), likes),
            PHOTO: (PHOTO_STEPS, lambda: _photo(owner, fans, marks), uploads),
        }
        for _, once, _ in ways.values():
            await once()
        measured: dict[str, list[list[float]]] = {name: [] for name in (*ways, FLOOR)}
        for _ in range(runs):
            for name, (_, once, count) in ways.items():
                measured[name].append(_medians([await once() for _ in range(count)]))
            measured[FLOOR].append(_medians(await floor.parts(likes, PAUSE)))
    return [
        item
        for name, steps in (*((name, way[0]) for name, way in ways.items()), (FLOOR, DeliveryFloor.PARTS))
        for item in _figures(name, [step[-1] for step in steps], measured[name])
    ]


def _figures(group: str, steps: Sequence[str], runs: Sequence[Sequence[float]]) -> list[Figure]:
    figures = [
        figure(group, f"{place:2}. {step}", "ms", [run[place - 1] for run in runs])
        for place, step in enumerate(steps, 1)
    ]
    return [*figures, figure(group, "sum", "ms", [sum(run) for run in runs])]


def _medians(rows: Sequence[Sequence[float]]) -> list[float]:
    return [statistics.median(column) for column in zip(*rows, strict=True)]


async def _like(fan: ApiUser, photo_id: str, owners: LiveSocket, new_likes: NewLikes, marks: Marks) -> list[float]:
    marks.take()
    started = time.perf_counter()
    (await fan.call("PUT", f"/photos/{photo_id}/like")).expect(200)
    arrived = await owners.until("notification", photo_id)
    steps = durations(LIKE_STEPS, marks.take(), start=started, end=arrived)
    (await fan.call("DELETE", f"/photos/{photo_id}/like")).expect(200)
    await new_likes.forget()
    await asyncio.sleep(PAUSE)
    return steps


async def _photo(owner: ApiUser, fans: LiveSocket, marks: Marks) -> list[float]:
    marks.take()
    photo = await owner.upload(photograph())
    arrived = await fans.until("photo.new", photo["id"])
    taken = marks.take()
    # The second transaction of the request has the photo; the first one leases the content and emits nothing.
    committed = [at for step, at in taken if step == "committed"]
    claimed = next(at for step, at in taken if step == "media claimed")
    steps = durations(PHOTO_STEPS, taken, start=max(at for at in committed if at <= claimed), end=arrived)
    await asyncio.sleep(PAUSE)
    return steps
