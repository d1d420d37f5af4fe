"""One epoll for everything that a client process holds: sockets, the pipe of its master, and what is due later."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

_BATCH = 4096  # events taken at once

Action = Callable[[], None]


class Reactor:
    """Call what is ready, one after the other; whatever an action raises comes out of `turn`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._actions: dict[int, Action] = {}
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()

    def when_readable(self, descriptor: int, action: Action) -> None:
        """Call `action` whenever there is something to read, or an end."""
        self._watch(descriptor, select.EPOLLIN, action)

    def when_writable(self, descriptor: int, action: Action) -> None:
        """Call `action` whenever something can be written."""
        self._watch(descriptor, select.EPOLLOUT, action)

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no longer; called before it is closed."""
        if self._actions.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def later(self, seconds: float, action: Action) -> None:
        """Call `action` once, that much later."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), action))

    def turn(self, longest: float | None = None) -> None:
        """Wait for something to do, at most `longest` seconds (None: without end), and do it."""
        wait = longest
        if self._due:
            left = max(0.0, self._due[0][0] - time.monotonic())
            wait = left if longest is None else min(left, longest)
        actions = self._actions
        for descriptor, _ in self._epoll.poll(wait, _BATCH):
            action = actions.get(descriptor)
            if action is not None:  # else an action of this batch has closed it
                action()
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()

    def until(self, done: Callable[[], bool], *, within: float, what: str, pace: float = 0.0) -> None:
        """Turn until `done`; raise TimeoutError that names `what` after `within` seconds.

        With a `pace`, in seconds, nothing wakes this process: it looks that often.
        """
        deadline = time.monotonic() + within
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{what}: not so within {within:g} s")
            if pace:
                time.sleep(pace)
            self.turn(0 if pace else left)

    def _watch(self, descriptor: int, events: int, action: Action) -> None:
        if descriptor in self._actions:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._actions[descriptor] = action
