"""Window logs compared with a simple model."""

from __future__ import annotations

import random
from typing import Any

import pytest

from server.composition.delivery import delivery_script
from storage.feeds.window_log import WindowLog
from tests.support.window_logs import ANN, start

pytestmark = pytest.mark.engines


MIXED = ["insert"] * 6 + ["remove", "merge", "drop", "look"]
ARRIVING = ["insert"] * 30 + ["remove"] * 3 + ["look"] * 2 + ["drop"]


@pytest.mark.parametrize("actions", [MIXED, ARRIVING], ids=["mixed", "arriving"])
@pytest.mark.parametrize("window", [20, 70])
@pytest.mark.parametrize("seed", range(4))
async def test_random_walk(redis: Any, seed: int, window: int, actions: list[str]) -> None:
    """After any actions a log is the newest part of the model, and recovery returns the model's publications."""
    chance, log = random.Random(seed), WindowLog(redis, "feed", delivery_script(redis), window=window)
    await start(log, ANN)
    head = await log.head(ANN)
    assert head is not None
    model: dict[int, bool] = {}  # id → whether it is removed
    published: list[tuple[int, int]] = []  # (time, id)
    since: tuple[int, int] = (head.top, 0)
    for step in range(6 * window):
        action = chance.choice(actions)
        if action == "insert":
            photo = chance.randrange(max(0, step - chance.choice([2, 15, 50])), step + 5)
            if (await log.insert(photo, [ANN], b"body")).feeds:
                model[photo] = False
                published.append((step, photo))
        elif action == "remove" and model:
            photo = chance.choice(sorted(model))
            if (await log.remove(photo, [ANN], b"body")).feeds:
                model[photo] = True
                published.append((step, photo))
        elif action == "merge":
            ids = chance.sample(range(step + 5), min(5, step + 5))
            await log.merge(ANN, ids)
            model |= {photo: model.get(photo, False) for photo in ids}
        elif action == "drop" and model:
            ids = chance.sample(sorted(model), min(3, len(model)))
            await log.drop(ANN, ids)
            model = {photo: removed for photo, removed in model.items() if photo not in ids}
            published = [(moment, photo) for moment, photo in published if photo not in ids]
        else:
            view = await log.read(ANN)
            assert view is not None
            since = (view.top, step)
        await _check(log, model, published, since)


async def _check(
    log: WindowLog, model: dict[int, bool], published: list[tuple[int, int]], since: tuple[int, int]
) -> None:
    view = await log.read(ANN)
    assert view is not None
    there = {entry.id: entry.removed for entry in view.entries}
    lowest = min(there, default=max(model, default=0) + 1)
    expected = {photo: removed for photo, removed in model.items() if view.complete or photo >= lowest}
    assert there == expected
    assert len(there) <= log.capacity
    came = view.since(view.epoch, since[0])
    if came is not None:
        last = {photo: moment for moment, photo in published if moment >= since[1]}
        assert [entry.id for entry in came] == sorted(last, key=lambda photo: last[photo])
