"""The command line of a set of benchmarks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.command import run
from bench.report import Figure, figure


async def measure(name: str, quick: bool) -> list[Figure]:
    """Return a figure, or break down."""
    if name == "broken":
        raise RuntimeError("no engine")
    return [
        figure(name, "quick" if quick else "thorough", "×", [2.0], at_most=1.0 if name == "slow" else 3.0, limit="x")
    ]


@pytest.mark.parametrize(
    ("arguments", "groups", "good"),
    [
        (["fast"], {"fast": "thorough"}, True),
        (["fast", "--quick"], {"fast": "quick"}, True),
        (["slow"], {"slow": "thorough"}, False),
        (["broken", "fast"], {"fast": "thorough"}, False),
        ([], {"fast": "thorough", "slow": "thorough"}, False),
    ],
)
def test_what_was_measured_is_kept(
    arguments: list[str], groups: dict[str, str], good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named benches run, all without names; one that breaks down takes nothing away from the others."""
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    benches = {"fast": "…", "slow": "…", "broken": "…"}
    outcome = run("bench", benches, measure, tmp_path / "figures.json")
    kept = json.loads((tmp_path / "figures.json").read_text())
    assert {item["group"]: item["name"] for item in kept["figures"]} == groups
    assert outcome.good is good
    assert outcome.broken == (["broken"] if "broken" in arguments or not arguments else [])
