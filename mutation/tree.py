"""A copy of the working tree in which mutants are tried, so that the working tree is never changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mutation.mutant import Mutant


class Tree:
    """A folder with the files of the working tree."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def with_mutant(self, mutant: Mutant) -> Iterator[None]:
        """Write a mutant's text during the block, then the original's.

        Python keeps the compiled original, which it recognises by time and size. So the mutant has another time, and
        the original its own again; trials write no compiled files.
        """
        path = self.root / mutant.path
        times = path.stat()
        path.write_text(mutant.mutated)
        os.utime(path, (times.st_atime, times.st_mtime + 100))
        try:
            yield
        finally:
            path.write_text(mutant.original)
            os.utime(path, (times.st_atime, times.st_mtime))


@contextmanager
def copied_tree(source: Path) -> Iterator[Tree]:
    """Copy the files that git knows or does not ignore, as they are now, into a temporary folder."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True).stdout.split("\0")
    folder = Path(tempfile.mkdtemp(prefix="picshare-mutation-"))
    try:
        for name in filter(None, names):
            if (source / name).is_file():  # a deleted file is still listed until the deletion is staged
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, folder / name)
        yield Tree(folder)
    finally:
        shutil.rmtree(folder)
