"""A place to run in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.run import Run, place


@pytest_asyncio.fixture(loop_scope="module")
async def run() -> AsyncIterator[Run]:
    """A place to run in, nothing started yet."""
    async with place() as run:
        yield run
