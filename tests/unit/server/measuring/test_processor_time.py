"""Processor time of processes: children are counted, other processes and ended ones are not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from server.measuring.processor_time import children_of, tree_seconds

_BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ninput()"


@contextmanager
def burner() -> Iterator[subprocess.Popen[str]]:
    """Run a shell whose child has used 0.3 seconds and waits for the end of the block."""
    command = ["sh", "-c", f'"{sys.executable}" -c "{_BURN}"; true']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        yield process
        process.communicate("\n")


def test_children_are_counted() -> None:
    """The time of a child counts for its parent, once, and not for others."""
    with burner() as shell:
        (child,) = children_of(shell.pid)
        assert tree_seconds([child]) >= 0.3
        both = tree_seconds([shell.pid, child])
        assert tree_seconds([child]) <= both < 2 * tree_seconds([child])
        assert shell.pid in children_of(os.getpid())
    assert tree_seconds([shell.pid]) == 0.0
