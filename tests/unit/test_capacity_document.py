"""The plans in `docs/capacity.md` are what the command prints with the shipped figures.

`UPDATE_CAPACITY=1 pytest tests/unit/test_capacity_document.py` writes them, and the picture, again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from typer.testing import CliRunner

from server.cli.main import build_app

DOCS = Path(__file__).parents[2] / "docs"
_PLAN = re.compile(r"<!-- picshare (plan[^>]*?) -->\n(.*?)<!-- end -->", re.DOTALL)


def printed(command: str, *more: str) -> str:
    """Return the output of a command line without the name of the program."""
    result = CliRunner().invoke(build_app(), [*command.split(), *more])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_plans_are_those_of_the_command(tmp_path: Path) -> None:
    """Every plan and the picture are as the command writes them."""
    file, picture = DOCS / "capacity.md", DOCS / "images" / "plan.svg"
    found = file.read_text()
    drawn = tmp_path / "plan.svg"
    printed("plan", "--picture", str(drawn))
    expected = _PLAN.sub(
        lambda match: f"<!-- picshare {match[1]} -->\n{printed(match[1], '--as', 'markdown')}<!-- end -->", found
    )
    if os.environ.get("UPDATE_CAPACITY"):
        file.write_text(expected)
        picture.write_text(drawn.read_text())
        return
    assert found == expected
    assert picture.read_text() == drawn.read_text()
    assert found.count("\n| ---") == 10
