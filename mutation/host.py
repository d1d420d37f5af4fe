"""A process that runs pytest in forks of itself, so that a trial does not import everything again.

Its arguments are the modules to import at the start. It reads one JSON line for each trial from standard input and
writes one to standard output. It has no threads. A fork forgets the mutated module and those that import it, and so
imports them as they are at that moment.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time
from typing import Any

import psutil
import pytest

_POLL = 0.01  # seconds


def main() -> None:
    """Import the modules, and serve trials until standard input ends."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps({"code": _trial(json.loads(line))}), file=answers, flush=True)


def _trial(order: dict[str, Any]) -> int | None:
    """Run pytest in a fork; return its exit code, or None if it was killed at the deadline (in seconds)."""
    pid = os.fork()
    if pid == 0:
        _run_pytest(order)
    deadline = time.monotonic() + order["deadline"]
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL)
    _kill_family(pid)
    os.waitpid(pid, 0)
    return None


def _run_pytest(order: dict[str, Any]) -> None:
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(order["environment"])
    sys.dont_write_bytecode = bool(order["forget"])  # without a mutant, all modules are compiled for the trials
    for name in order["forget"]:
        _forget(name)
    code = 1
    try:
        code = int(pytest.main(order["arguments"]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def _forget(name: str) -> None:
    """Let the next import of a module run it again; `from package import module` would find it as an attribute, too."""
    sys.modules.pop(name, None)
    package, _, attribute = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(attribute, None)


def _kill_family(pid: int) -> None:
    """Kill the fork and what it started, also what has a session of its own."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    os.kill(pid, signal.SIGKILL)
    for process in family:
        if process.is_running():
            process.kill()


if __name__ == "__main__":
    main()
