"""The event that causes a publication: its queue, its commit, and its trace.

A worker sets the cause around a handler. What the handler publishes carries it, so that live processes can measure how
long the event took to the sockets, and add to its trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import NamedTuple


class Stage(StrEnum):
    """A stage of an event after its commit, as metrics label it; see docs/metrics.md."""

    CLAIMED = "claimed"  # a worker begins to handle it
    INSERTED = "inserted"  # it is in the feeds, or in the inbox
    PUBLISHED = "published"  # Redis has passed it to the live processes
    SOCKET = "socket"  # a live process has written it to the sockets


class Cause(NamedTuple):
    """An event: the queue that handles it, the Unix time of its commit, and its W3C `traceparent` ("" without one)."""

    queue: str
    committed_at: float
    traceparent: str = ""


Observer = Callable[[Stage], None]


class _Handling:
    """A cause that is being handled, and the stages that it has reached."""

    __slots__ = ("cause", "observe", "reached")

    def __init__(self, cause: Cause, observe: Observer) -> None:
        self.cause = cause
        self.observe = observe
        self.reached: set[Stage] = set()


_handling: ContextVar[_Handling | None] = ContextVar("cause", default=None)


@contextmanager
def causing(cause: Cause, observe: Observer) -> Iterator[None]:
    """Let what is published in this block carry its cause; call `observe` once for each stage that is reached."""
    token = _handling.set(_Handling(cause, observe))
    try:
        yield
    finally:
        _handling.reset(token)


def current_cause() -> Cause | None:
    """Return the cause of what is published now; None outside of a handler."""
    handling = _handling.get()
    return None if handling is None else handling.cause


def reached(*stages: Stage) -> None:
    """Record that the event that is handled has reached stages; only the first time counts."""
    handling = _handling.get()
    if handling is None:
        return
    for stage in stages:
        if stage not in handling.reached:
            handling.reached.add(stage)
            handling.observe(stage)
