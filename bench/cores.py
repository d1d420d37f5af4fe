"""Which core the server under test has for itself; everything else runs on the others."""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class TooFewCoresError(Exception):
    """Say that servers and clients would have to share a core."""


@dataclass(frozen=True, kw_only=True)
class Cores:
    """The server's core, and those of the clients, the publisher and the engines."""

    server: int
    others: frozenset[int]

    def serving(self, command: Sequence[str]) -> list[str]:
        """Return a command that runs on the server's core; the process id stays that of the command."""
        return ["taskset", "--cpu-list", str(self.server), *command]

    def stay_off(self) -> None:
        """Keep this process, and all that it starts from now on, away from the server's core."""
        os.sched_setaffinity(0, self.others)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Stay off the server's core for a while, as `stay_off`."""
        before = os.sched_getaffinity(0)
        self.stay_off()
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def share_out(available: Collection[int]) -> Cores:
    """Give the first core to the server and the rest to all others; raise `TooFewCoresError` for fewer than two."""
    if len(available) < 2:
        raise TooFewCoresError("the server under test needs a core for itself: run this where two cores are available")
    server = min(available)
    return Cores(server=server, others=frozenset(available) - {server})


def raise_file_limit() -> int:
    """Allow this process, and all that it starts, as many open files as the system lets it; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1_048_576
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
