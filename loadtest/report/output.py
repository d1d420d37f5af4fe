"""Output of a load test's result: the table on the terminal, and the requested files."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.report.document import write_json
from loadtest.report.picture import write_picture
from loadtest.report.summary import Summary
from loadtest.report.table import show


def check_files(*paths: Path | None) -> None:
    """Raise `LoadTestError` for a file that cannot be written; called before the test, which may take hours."""
    for path in filter(None, paths):
        folder = path.absolute().parent
        if not folder.is_dir() or path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
            raise LoadTestError(f"{path} cannot be written; choose a file in a writable directory.")


def write_results(summary: Summary, console: Console, *, json: Path | None, picture: Path | None) -> None:
    """Print the table and write the files; raise `LoadTestError` if a file cannot be written."""
    show(summary, console)
    if json is not None:
        write_json(summary, json)
    if picture is not None:
        write_picture(summary, picture)
