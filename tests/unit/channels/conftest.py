"""Fixtures of the live layer's unit tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.support.recovery_scene import Scene


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A scene whose recovery runs."""
    scene = Scene()
    scene.recovery.restored()
    running = asyncio.create_task(scene.recovery.run())
    yield scene
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
