"""Trials run a part's tests on a mutant, in a tree of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mutation.mutant import Mutant
from mutation.parts.part import Part
from mutation.tree import Tree
from mutation.trials import BaselineError, Trials, open_trials

ROOT = Path(__file__).parents[3]
PART = Part(name="toy", modules=["storage/toy.py"], tests=["test_toy.py"])
MODULE = "def double(number):\n    return number * 2\n"
FILES = {
    "storage/__init__.py": "",
    "storage/toy.py": MODULE,
    "storage/user.py": "from storage.toy import double\n",
    "server/__init__.py": "",
    "test_toy.py": "from storage import user\n\n\ndef test_double():\n    assert user.double(2) == 4\n",
}


@pytest.fixture
def trials(tmp_path: Path) -> Iterator[Trials]:
    """Trials in a small tree, without shared engines."""
    shutil.copytree(ROOT / "mutation", tmp_path / "tree" / "mutation", ignore=shutil.ignore_patterns("node_modules"))
    for name, text in FILES.items():
        (tmp_path / "tree" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "tree" / name).write_text(text)
    with open_trials(Tree(tmp_path / "tree"), None) as trials:
        yield trials


def mutant(expression: str) -> Mutant:
    """Return the mutant that returns something else."""
    return Mutant(path="storage/toy.py", kind="toy", original=MODULE, mutated=MODULE.replace("number * 2", expression))


def test_trials(trials: Trials) -> None:
    """A mutant is noticed, survives, or is stopped at the deadline; the next one is tried on the original again."""
    assert trials.baseline(PART) > 0
    assert trials.trial(PART, mutant("number * 3"), 60) == "noticed"
    assert trials.trial(PART, mutant("number + 2"), 60) == "survived"
    assert trials.trial(PART, mutant("[0 for _ in iter(int, 1) if False]"), 2) == "stopped"
    assert trials.trial(PART, mutant("number + 2"), 60) == "survived"


def test_tests_must_pass_without_a_mutant(trials: Trials) -> None:
    """A part whose tests fail, or do not exist, is not tried."""
    with pytest.raises(BaselineError, match="nothing fails without a mutant"):
        trials.baseline(Part(name="nothing", modules=[], tests=["test_nothing.py"]))
