"""A worker that does nothing, for tests of the registry of workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.events import LikeAdded
from workers.handlers import on
from workers.jobs.context import Handlers, WorkerContext


@asynccontextmanager
async def open_handlers(_context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield a handler of added likes."""

    async def ignore(_event: LikeAdded) -> None:
        """Do nothing."""

    yield on(LikeAdded, ignore)
