"""Hand the outcome of a load test over: the table on the terminal, and the files that were asked for."""

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
    """Raise `LoadTestError` for a file that could not be written at the end: better to know it before."""
    for path in filter(None, paths):
        folder = path.absolute().parent
        if not folder.is_dir() or path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
            raise LoadTestError(f"{path} cannot be written; name a file in a directory of yours.")


def tell(summary: Summary, console: Console, *, json: Path | None, picture: Path | None) -> None:
    """Print the table and write the files; raise `LoadTestError` when a file cannot be written."""
    show(summary, console)
    if json is not None:
        write_json(summary, json)
    if picture is not None:
        write_picture(summary, picture)
