"""The pace of bulk work."""

from __future__ import annotations

import asyncio

import pytest

from storage.events import CopiesOutdated, Event
from tests.support.virtual_loop import run_virtually
from workers.jobs.bulk.bulk import LONGEST_PAUSE, paced

EVENT = CopiesOutdated(user_id=1, photos_below=None, comments_below=None)


@pytest.mark.parametrize(("work", "pause"), [(0.0, 0.0), (0.02, 0.02), (30.0, LONGEST_PAUSE)])
def test_a_batch_is_followed_by_a_pause_of_its_duration_up_to_a_bound(work: float, pause: float) -> None:
    """A batch leaves the engines to others for as long as it has used them."""

    async def handler(_event: Event) -> None:
        await asyncio.sleep(work)

    assert run_virtually(_duration(handler)) == pytest.approx(work + pause)


def test_a_failed_batch_raises_at_once() -> None:
    """The broker decides when a failed batch is repeated."""

    async def handler(_event: Event) -> None:
        await asyncio.sleep(0.02)
        raise LookupError

    async def main() -> float:
        with pytest.raises(LookupError):
            await paced(handler)(EVENT)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(0.02)


async def _duration(handler: object) -> float:
    await paced(handler)(EVENT)  # type: ignore[arg-type]
    return asyncio.get_running_loop().time()
