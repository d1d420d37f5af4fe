"""Run the tests of a part on a mutant, and say whether they noticed it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from mutation.dependents import dependents, importers_of, module_name, modules_of
from mutation.engines import SharedEngines
from mutation.mutant import Mutant
from mutation.parts.part import Part
from mutation.tree import Tree

_OPTIONS = (
    *("-x", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-p", "mutation.plugin"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of the plugins below
)
_PLUGINS = ("pytest_asyncio.plugin", "pytest_aiohttp.plugin", "xdist.plugin", "_hypothesis_pytestplugin", "hypothesis")
_BASELINE_DEADLINE = 900.0  # seconds
_PASSED = 0  # exit code of pytest

# Stopped at the deadline counts as noticed, too, because the tests of CI would not end either.
Outcome = Literal["noticed", "stopped", "survived"]


class BaselineError(Exception):
    """The tests of a part fail without a mutant; `args` has the end of their output."""


class Trials:
    """The trials of all parts, one after another, in one tree, on the same engines."""

    def __init__(self, tree: Tree, host: subprocess.Popen[str], engines: SharedEngines | None) -> None:
        self._tree = tree
        self._host = host
        self._engines = engines
        self._output = tree.root.parent / f"{tree.root.name}.log"
        self._noticed = tree.root.parent / f"{tree.root.name}.noticed"
        self._importers = importers_of(modules_of(tree.root))
        self._successes: Counter[str] = Counter()

    def baseline(self, part: Part) -> float:
        """Run the tests without a mutant; return their seconds. Also leaves the compiled modules for the trials."""
        self._successes.clear()
        began = time.monotonic()
        code = self._run(part, _BASELINE_DEADLINE, [])
        if code != _PASSED:
            raise BaselineError(f"{part.name} fails without a mutant:\n{self._output.read_text()[-3000:]}")
        return time.monotonic() - began

    def trial(self, part: Part, mutant: Mutant, deadline: float) -> Outcome:
        """Run the tests on a mutant until one fails, at most for `deadline` seconds."""
        with self._tree.with_mutant(mutant):
            forget = dependents(self._importers, module_name(Path(mutant.path)))
            code = self._run(part, deadline, forget)
        test = self._noticed.read_text() if self._noticed.exists() else None
        if test:
            self._successes[test] += 1
        if code is None and self._engines is not None:
            self._engines.restart()
        outcome: Outcome = "stopped" if code is None else "survived" if code == _PASSED else "noticed"
        return outcome

    def close(self) -> None:
        """Delete the files outside the tree."""
        for path in (self._output, self._noticed):
            path.unlink(missing_ok=True)

    def _run(self, part: Part, deadline: float, forget: Sequence[str]) -> int | None:
        self._noticed.unlink(missing_ok=True)
        order = {
            "arguments": [*_OPTIONS, *_selection(part, self._tree.root)],
            "deadline": deadline,
            "forget": forget,
            "output": str(self._output),
            "environment": {
                "MUTATION_ENGINES": json.dumps(self._engines.fixtures if self._engines else {}),
                "MUTATION_FIRST": json.dumps([name for name, _ in self._successes.most_common()]),
                "MUTATION_REDIS": json.dumps([*part.redis]),
                "MUTATION_NOTICED": str(self._noticed),
            },
        }
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        print(json.dumps(order), file=self._host.stdin, flush=True)
        code: int | None = json.loads(self._host.stdout.readline())["code"]
        return code


def _selection(part: Part, root: Path) -> Sequence[str]:
    paths = [str(path.relative_to(root)) for path in part.test_paths(root)]
    return [*paths, *(["-k", part.only] if part.only else [])]


@contextmanager
def open_trials(tree: Tree, engines: SharedEngines | None) -> Iterator[Trials]:
    """Start the process that runs pytest in the tree; end it after the block."""
    environment = {**os.environ, "PYTHONPATH": str(tree.root)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "mutation.host", *_PLUGINS, *modules_of(tree.root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tree.root, env=environment, stdin=pipe, stdout=pipe, text=True) as host:
        trials = Trials(tree, host, engines)
        try:
            yield trials
        finally:
            trials.close()
