"""Processor cores: one for the server under test, the others for everything else."""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class TooFewCoresError(Exception):
    """Servers and clients would have to share the only core."""


@dataclass(frozen=True, kw_only=True)
class Cores:
    """The server's core, and the cores of the clients, the publisher and the engines."""

    server: int
    others: frozenset[int]

    def on_server_core(self, command: Sequence[str]) -> list[str]:
        """Return a command that runs on the server's core; taskset execs it, so its process id does not change."""
        return ["taskset", "--cpu-list", str(self.server), *command]

    def use_other_cores(self) -> None:
        """Keep this process, and everything that it starts from now on, away from the server's core."""
        os.sched_setaffinity(0, self.others)

    @contextmanager
    def other_cores_only(self) -> Iterator[None]:
        """Do the same as `use_other_cores` until the end of the block."""
        before = os.sched_getaffinity(0)
        self.use_other_cores()
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def assign_cores(available: Collection[int]) -> Cores:
    """Assign the first core to the server and the rest to all others; raise `TooFewCoresError` for fewer than two."""
    if len(available) < 2:
        raise TooFewCoresError("the server under test needs a core for itself: run this where two cores are available")
    server = min(available)
    return Cores(server=server, others=frozenset(available) - {server})


def raise_file_limit() -> int:
    """Raise the limit of open files of this process and its children to the hard limit; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1_048_576
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
