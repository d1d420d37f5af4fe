"""Tables of the command line. Nothing in them is cut off, so that an id can be given to another command."""

from __future__ import annotations

import os
from collections.abc import Collection

from rich.console import Console
from rich.table import Table

_WIDTH_OF_FILES = 1000  # for what is not a terminal: each row is one line, for grep and awk


def table(*names: str, ids: Collection[str] = ("id",), title: str | None = None) -> Table:
    """Return an empty table with columns of these names; those of `ids` are as wide as what they hold."""
    result = Table(title=title)
    for name in names:
        result.add_column(name, overflow="fold", no_wrap=name in ids)
    return result


def console() -> Console:
    """Return standard output as wide as its terminal, or as `COLUMNS` says; a file or pipe gets whole rows."""
    found = Console()
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = _WIDTH_OF_FILES
    return found
