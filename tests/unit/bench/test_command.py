"""The command line of a set of benchmarks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.command import run
from bench.report import Figure, figure


async def measure(name: str, quick: bool) -> list[Figure]:
    """Return a figure, or raise."""
    if name == "broken":
        raise RuntimeError("no engine")
    return [
        figure(name, "quick" if quick else "thorough", "×", [2.0], at_most=1.0 if name == "slow" else 3.0, limit="x")
    ]


@pytest.mark.parametrize(
    ("arguments", "groups", "succeeded"),
    [
        (["fast"], {"fast": "thorough"}, True),
        (["fast", "--quick"], {"fast": "quick"}, True),
        (["slow"], {"slow": "thorough"}, False),
        (["broken", "fast"], {"fast": "thorough"}, False),
        ([], {"fast": "thorough", "slow": "thorough"}, False),
    ],
)
def test_figures_are_written_even_if_a_benchmark_fails(
    arguments: list[str], groups: dict[str, str], succeeded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named benchmarks run, without names all; a failing one does not affect the others."""
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    benches = {"fast": "…", "slow": "…", "broken": "…"}
    result = run("bench", benches, measure, tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text())
    assert {item["group"]: item["name"] for item in written["figures"]} == groups
    assert result.succeeded is succeeded
    assert result.failed == (["broken"] if "broken" in arguments or not arguments else [])
