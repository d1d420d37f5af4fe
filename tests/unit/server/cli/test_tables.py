"""Tables of the command line: what they hold can be copied from them."""

from __future__ import annotations

import pytest
from rich.console import Console

from server.cli import tables

ID = "01K3S9C0XG4Q7"


def _print_case(console: Console) -> None:
    table = tables.table("id", "about", "category", "account", "reports", "priority", "state", "assigned to", "opened")
    names = ("Z" * 30, "child_safety", "b" * 30, "1", "41.9", "escalated", "c" * 30, "2026-11-20 12:00")
    table.add_row(ID, *names)
    console.print(table)


def test_an_id_is_whole_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands take the id of a case, so the list of cases shows it whole on 80 columns; names go on below."""
    monkeypatch.setenv("COLUMNS", "80")
    _print_case(tables.console())
    output = capsys.readouterr().out
    assert ID in output
    assert max(map(len, output.splitlines())) <= 80
    assert "…" not in output
    assert output.count("Z") == 30


def test_a_pipe_gets_each_row_as_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no terminal is not wrapped to 80 columns: grep finds a row with all that belongs to it."""
    monkeypatch.delenv("COLUMNS", raising=False)
    _print_case(tables.console())
    (row,) = [line for line in capsys.readouterr().out.splitlines() if ID in line]
    assert all(text in row for text in ("Z" * 30, "child_safety", "b" * 30, "c" * 30, "2026-11-20 12:00"))
