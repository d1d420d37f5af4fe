"""Mistakes in JavaScript, made by the mutators of StrykerJS.

Only its instrumenter is used. Its test runners run JavaScript in Node, while `static/live` is tested in Chromium, from
pytest; so the mutants go through the same trials as all others.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mutation.mutant import Edit

FOLDER = Path(__file__).parents[1] / "javascript"


def javascript_edits(source: str) -> Iterator[Edit]:
    """Yield the edits of a module's text; raise CalledProcessError if Node or the package is missing."""
    command = ["node", str(FOLDER / "mutants.mjs")]
    found = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for mutant in json.loads(found):
        (first, first_column), (last, last_column) = mutant["start"], mutant["end"]
        start, end = starts[first] + first_column, starts[last] + last_column
        yield Edit(kind=mutant["kind"], start=start, end=end, text=mutant["text"])
