"""Tests on both uvloop and asyncio's event loop, which differ in when they write and close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import pytest
import uvloop

S = TypeVar("S")


def on_both_loops(
    make: Callable[[], AbstractAsyncContextManager[S]],
) -> Callable[[Callable[[S], Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Return a decorator that passes a test the result of `make`, on either loop."""

    def decorate(test: Callable[[S], Coroutine[Any, Any, None]]) -> Callable[..., None]:
        async def inside() -> None:
            async with make() as made:
                await test(made)

        @pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
        def run(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(inside())

        run.__doc__ = test.__doc__
        return run

    return decorate
