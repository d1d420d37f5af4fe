"""Mutants are written to a copy of the tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mutation.mutant import Mutant
from mutation.tree import copied_tree


def test_a_mutant_is_in_the_copy_during_its_trial_alone(tmp_path: Path) -> None:
    """The copy has the files as they are now, without ignored ones; the working tree is never changed."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "package").mkdir()
    module = tmp_path / "package" / "module.py"
    module.write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text("")
    mutant = Mutant(path="package/module.py", kind="number moved", original="x = 1\n", mutated="x = 2\n")
    with copied_tree(tmp_path) as tree:
        copy = tree.root / "package" / "module.py"
        times = copy.stat().st_mtime
        assert not (tree.root / "ignored").exists()
        with tree.with_mutant(mutant):
            assert copy.read_text() == "x = 2\n"
            assert copy.stat().st_mtime != times
            assert module.read_text() == "x = 1\n"
        assert copy.read_text() == "x = 1\n"
        assert copy.stat().st_mtime == times
    assert not tree.root.exists()
