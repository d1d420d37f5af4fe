"""One epoll loop for a client process: its sockets, the pipe to its parent, and timers."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

_BATCH = 4096  # events taken at once

Action = Callable[[], None]


class Reactor:
    """Event loop that calls actions one after the other; an exception of an action propagates out of `turn`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._actions: dict[int, Action] = {}
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()

    def when_readable(self, descriptor: int, action: Action) -> None:
        """Call `action` whenever the descriptor is readable or closed."""
        self._watch(descriptor, select.EPOLLIN, action)

    def when_writable(self, descriptor: int, action: Action) -> None:
        """Call `action` whenever the descriptor is writable."""
        self._watch(descriptor, select.EPOLLOUT, action)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor; must be called before it is closed."""
        if self._actions.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def later(self, seconds: float, action: Action) -> None:
        """Call `action` once, after a delay."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), action))

    def turn(self, longest: float | None = None) -> None:
        """Wait at most `longest` seconds (None: no limit) for events, and run their actions."""
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
        """Run the loop until `done` returns true; raise TimeoutError with `what` after `within` seconds.

        With a `pace`, in seconds, events do not wake this process: it polls at that interval.
        """
        deadline = time.monotonic() + within
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{what}: not within {within:g} s")
            if pace:
                time.sleep(pace)
            self.turn(0 if pace else left)

    def _watch(self, descriptor: int, events: int, action: Action) -> None:
        if descriptor in self._actions:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._actions[descriptor] = action
