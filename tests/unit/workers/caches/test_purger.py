"""What a purger measures and logs, and when it asks a cache that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from server.operation.metrics import Metrics
from workers.caches.port import CacheError, HiddenImages
from workers.caches.purger import CIRCUIT, Purger
from workers.outbound.circuits import CircuitRegistry

IMAGES = [HiddenImages(sha256="ab" * 32, signed=True)]
ORIGINALS = [image.sha256 for image in IMAGES]


class StubCache:
    """A cache that answers or not."""

    name = "10.0.0.5:8079"

    def __init__(self) -> None:
        self.answers = True
        self.asked = 0
        self.error: BaseException | None = None

    async def hide(self, originals: Sequence[str]) -> None:
        """Count, or fail."""
        assert originals == ORIGINALS
        self._answer()

    async def forget(self, images: Sequence[HiddenImages]) -> None:
        """Count, or fail."""
        assert images == IMAGES
        self._answer()

    def _answer(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        if not self.answers:
            raise CacheError("it does not answer", reason="timeout")


class Scene:
    """A purger with a clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.cache = StubCache()
        self.metrics = Metrics()
        registry = CircuitRegistry(self.metrics, clock=lambda: self.now)
        circuit = registry.circuit("purge:10.0.0.5:8079", CIRCUIT)
        self.purger = Purger(self.cache, self.metrics, circuit, clock=lambda: self.now)
        self.metrics.caches_known([self.purger.name])

    def value(self, name: str) -> float | None:
        """Return the value of a metric of this cache."""
        return self.metrics.registry.get_sample_value(f"picshare_{name}", {"cache": "10.0.0.5:8079"})

    def calls(self) -> dict[str, float]:
        """Return the number of calls by their outcome."""
        (found,) = [family for family in self.metrics.registry.collect() if family.name == "picshare_outbound_requests"]
        samples = [sample for sample in found.samples if sample.name.endswith("_total")]
        assert {sample.labels["name"] for sample in samples} == {"purge:10.0.0.5:8079"}
        return {sample.labels["outcome"]: sample.value for sample in samples}


@pytest.fixture
def scene() -> Scene:
    """A cache that answers."""
    return Scene()


async def test_the_time_since_the_images_were_hidden_is_measured_once(scene: Scene) -> None:
    """The histogram has when the cache has stopped to serve them, and not when it has forgotten them."""
    assert scene.value("purge_seconds_count") == 0
    assert await scene.purger.hide(ORIGINALS, hidden_at=998.5)
    assert await scene.purger.forget(IMAGES)
    assert (scene.value("purge_seconds_count"), scene.value("purge_seconds_sum")) == (1, 1.5)
    assert (scene.value("purge_failures_total"), scene.value("purge_overdue_total")) == (0, 0)


async def test_a_cache_that_does_not_answer_is_asked_every_two_seconds(scene: Scene) -> None:
    """All purges in between fail at once; an outage has one line in the log, and its end another one."""
    scene.cache.answers = False
    with capture_logs() as logs:
        assert [await scene.purger.forget(IMAGES) for _ in range(3)] == [False] * 3
        assert scene.cache.asked == 1
        for pause in (1.0, 2.0, 2.0):  # twice as long after a probe that has failed, but no longer
            scene.now += pause
            assert not await scene.purger.hide(ORIGINALS, hidden_at=999)
        scene.cache.answers = True
        assert not await scene.purger.hide(ORIGINALS, hidden_at=999)
        scene.now += 2.0
        assert await scene.purger.hide(ORIGINALS, hidden_at=999)
        assert await scene.purger.hide(ORIGINALS, hidden_at=999)
    assert scene.cache.asked == 6
    assert [log["event"] for log in logs] == [
        "circuit_opened",
        "cache_not_purged",
        "circuit_closed",
        "cache_purged_again",
    ]
    assert {log.get("cache") or log["name"] for log in logs} == {"10.0.0.5:8079", "purge:10.0.0.5:8079"}
    assert scene.value("purge_failures_total") == 7
    assert scene.calls() == {"timeout": 4, "circuit_open": 3, "ok": 2}


async def test_a_purge_that_is_cancelled_is_no_failure(scene: Scene) -> None:
    """A worker that ends in the middle of a purge does not keep the next purge from being sent."""
    scene.cache.error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await scene.purger.forget(IMAGES)
    scene.cache.error = None
    assert await scene.purger.forget(IMAGES)
    assert scene.calls() == {"abandoned": 1, "ok": 1}


async def test_failures_after_a_minute_are_overdue(scene: Scene) -> None:
    """Images that were hidden a minute ago and are still in a cache count apart, tried or not."""
    scene.cache.answers = False
    for hidden_at in (940.1, 940.0, 900.0):
        await scene.purger.hide(ORIGINALS, hidden_at=hidden_at)
    assert (scene.value("purge_failures_total"), scene.value("purge_overdue_total")) == (3, 2)


async def test_what_is_not_forgotten_is_not_overdue(scene: Scene) -> None:
    """Users do not see it, however long that lasts; it counts as a failure alone."""
    scene.cache.answers = False
    scene.now += 3600
    assert not await scene.purger.forget(IMAGES)
    assert (scene.value("purge_failures_total"), scene.value("purge_overdue_total")) == (1, 0)
