"""Turns: tasks that change the same thing do so one after the other, and the first of them for all that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

GAP = 0.005  # seconds between two runs for one key while more wait: other processes get its lock in between


@dataclass(eq=False)
class _Job(Generic[T]):
    change: T
    done: bool = False
    error: Exception | None = None  # of the run of another task
    alone: bool = False  # after a failure together with others


@dataclass(eq=False)
class _Queue(Generic[T]):
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Job[T]] = field(default_factory=list)
    tasks: int = 0


class Turns(Generic[T]):
    """Runs changes, those of one key never at the same time, and up to `batch` that wait for it in one run.

    `run` is called with a key and its changes in order. If it raises one of the errors `shared`, which are no change's
    fault, every change of the run fails. After another error each of them is run alone, so that a change fails only by
    its own fault; so changes must be repeatable. A task that is cancelled takes no other's change with it.
    """

    def __init__(
        self,
        run: Callable[[int, Sequence[T]], Awaitable[None]],
        *,
        batch: int,
        shared: tuple[type[Exception], ...] = (),
        gap: float = GAP,
    ) -> None:
        self._run = run
        self._batch = batch
        self._shared = shared
        self._gap = gap  # seconds
        self._queues: dict[int, _Queue[T]] = {}

    def waiting(self, key: int) -> int:
        """Return the number of changes of a key whose run has not begun."""
        queue = self._queues.get(key)
        return 0 if queue is None else len(queue.waiting)

    async def take(self, key: int, change: T) -> None:
        """Return once `change` was carried out, by this task or another; raise the error of its run."""
        queue, job = self._queues.setdefault(key, _Queue()), _Job(change)
        queue.waiting.append(job)
        queue.tasks += 1
        try:
            # The lock wakes its waiters in order, so the first one that is not done has waited longest.
            async with queue.turn:
                if not job.done:
                    await self._run_first(key, queue, job)
                    if queue.waiting:
                        await asyncio.sleep(self._gap)
            if job.error is not None:
                raise job.error
        finally:
            job.done = True
            if job in queue.waiting:
                queue.waiting.remove(job)
            queue.tasks -= 1
            if not queue.tasks:
                del self._queues[key]

    async def _run_first(self, key: int, queue: _Queue[T], first: _Job[T]) -> None:
        jobs = [first]
        if not first.alone:
            jobs = [job for job in queue.waiting if not job.alone][: self._batch]
        try:
            await self._run_jobs(key, queue, jobs)
        except Exception as error:
            if len(jobs) == 1 or isinstance(error, self._shared):
                raise
            for job in jobs:
                job.alone = True
            await self._run_jobs(key, queue, [first])

    async def _run_jobs(self, key: int, queue: _Queue[T], jobs: Sequence[_Job[T]]) -> None:
        queue.waiting = [job for job in queue.waiting if job not in jobs]
        try:
            await self._run(key, [job.change for job in jobs])
        except self._shared as error:
            for job in jobs:
                job.done, job.error = True, error
            raise
        except BaseException:
            # Their tasks still wait, unless they were cancelled, and run them in their own turns.
            queue.waiting[:0] = [job for job in jobs if not job.done]
            raise
        for job in jobs:
            job.done = True
