"""Turns: changes of one key one after the other, those that wait in one run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.eventually import eventually
from workers.jobs.inbox.turns import Turns


class Runs:
    """Records the runs, each of which ends when `end` allows it; the changes "bad" and "away" fail."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, list[str]]] = []
        self._ends = asyncio.Semaphore(0)
        self.at_once = 0

    def end(self, runs: int = 99) -> None:
        """Let the next so many runs end."""
        for _ in range(runs):
            self._ends.release()

    async def run(self, key: int, changes: Sequence[str]) -> None:
        """Run changes."""
        self.begun.append((key, list(changes)))
        self.at_once += 1
        try:
            await self._ends.acquire()
            if "bad" in changes:
                raise ValueError("bad")
            if "away" in changes:
                raise OSError("away")
        finally:
            self.at_once -= 1


async def begin(turns: Turns[str], key: int, *changes: str) -> list[asyncio.Task[None]]:
    """Submit changes, each in a task of its own, in order."""
    tasks = [asyncio.create_task(turns.take(key, change)) for change in changes]
    await asyncio.sleep(0)
    return tasks


async def test_what_waits_is_run_together() -> None:
    """The first change runs alone, those that come meanwhile together, in order and up to the limit."""
    runs = Runs()
    turns = Turns(runs.run, batch=3, gap=0)
    tasks = await begin(turns, 1, "a", "b", "c", "d", "e")
    assert (runs.begun, turns.waiting(1)) == ([(1, ["a"])], 4)
    runs.end()
    await asyncio.gather(*tasks)
    assert runs.begun == [(1, ["a"]), (1, ["b", "c", "d"]), (1, ["e"])]
    assert turns.waiting(1) == 0


async def test_keys_do_not_wait_for_each_other() -> None:
    """Changes of different keys run at the same time, those of one key never."""
    runs = Runs()
    turns = Turns(runs.run, batch=1, gap=0)
    tasks = [*await begin(turns, 1, "a", "b"), *await begin(turns, 2, "c")]
    assert (runs.begun, runs.at_once) == ([(1, ["a"]), (2, ["c"])], 2)
    runs.end()
    await asyncio.gather(*tasks)
    assert runs.begun[2:] == [(1, ["b"])]


async def test_a_change_fails_by_its_own_fault_alone() -> None:
    """If a run of several changes fails, each is run alone, and only the task of the faulty one gets the error."""
    runs = Runs()
    turns = Turns(runs.run, batch=9, gap=0)
    tasks = await begin(turns, 1, "first", "a", "bad", "b")
    runs.end()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), type(None), ValueError, type(None)]
    assert runs.begun == [(1, ["first"]), (1, ["a", "bad", "b"]), (1, ["a"]), (1, ["bad"]), (1, ["b"])]


async def test_an_outage_fails_all_changes_of_a_run() -> None:
    """An error that is no change's fault is raised in the task of each, and nothing is run again."""
    runs = Runs()
    turns = Turns(runs.run, batch=2, shared=(OSError,), gap=0)
    tasks = await begin(turns, 1, "first", "a", "away", "b")
    runs.end()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), OSError, OSError, type(None)]
    assert runs.begun == [(1, ["first"]), (1, ["a", "away"]), (1, ["b"])]


async def blocked_run(turns: Turns[str], runs: Runs) -> list[asyncio.Task[None]]:
    """Return the tasks of "a", "b" and "c", whose common run has begun and does not end."""
    first = await begin(turns, 1, "first")
    tasks = await begin(turns, 1, "a", "b", "c")
    runs.end(1)
    await first[0]
    await eventually(lambda: len(runs.begun) == 2)
    return tasks


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_cancelled_task_takes_no_other_change_with_it(cancelled: int) -> None:
    """If the task that runs the changes of others is cancelled, they are run again; if another is, nothing changes."""
    runs = Runs()
    turns = Turns(runs.run, batch=3, gap=0)
    tasks = await blocked_run(turns, runs)
    tasks.pop(cancelled).cancel()
    await asyncio.sleep(0)
    runs.end()
    await asyncio.gather(*tasks)
    assert runs.begun[1:] == [(1, ["a", "b", "c"]), *([(1, ["b", "c"])] if cancelled == 0 else [])]
    assert turns.waiting(1) == 0


async def test_a_cancelled_run_leaves_nothing_of_cancelled_tasks() -> None:
    """A change whose task was cancelled is not run again after the task that ran it was cancelled, too."""
    runs = Runs()
    turns = Turns(runs.run, batch=3, gap=0)
    tasks = await blocked_run(turns, runs)
    for task in tasks[1::-1]:
        task.cancel()
        await asyncio.sleep(0)
    runs.end()
    await tasks[2]
    assert runs.begun[1:] == [(1, ["a", "b", "c"]), (1, ["c"])]


async def test_a_waiting_task_that_is_cancelled_leaves_the_queue() -> None:
    """A change that has not begun goes with its task."""
    runs = Runs()
    turns = Turns(runs.run, batch=3, gap=0)
    tasks = await begin(turns, 1, "a", "b", "c")
    tasks.pop(1).cancel()
    await asyncio.sleep(0)
    assert turns.waiting(1) == 1
    runs.end()
    await asyncio.gather(*tasks)
    assert runs.begun == [(1, ["a"]), (1, ["c"])]
