"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.run import Run, temporary_run


@pytest_asyncio.fixture(loop_scope="module")
async def run() -> AsyncIterator[Run]:
    """A `picshare run` that is not started yet."""
    async with temporary_run() as run:
        yield run
