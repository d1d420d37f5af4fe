"""The command line of a set of benchmarks: which ones to run, how thoroughly, and where to write the figures."""

from __future__ import annotations

import argparse
import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import Figure, show, write

Measure = Callable[[str, bool], Awaitable[list[Figure]]]


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """The figures, the file to which they were written, and the names of the benchmarks that raised."""

    figures: Sequence[Figure]
    file: Path
    failed: Sequence[str]

    @property
    def succeeded(self) -> bool:
        """Return whether every benchmark ran and every goal was reached."""
        return not self.failed and all(item.reached is not False for item in self.figures)


def run(prog: str, benches: Mapping[str, str], measure: Measure, results: Path) -> BenchResult:
    """Run the benchmarks named on the command line (by default all), print the table, and write the JSON.

    `benches` maps names to descriptions. `measure` is called with a name and whether `--quick` was given. When one
    raises, its traceback is printed and the others still run.
    """
    lines = "\n".join(f"  {name:10} {text}" for name, text in benches.items())
    parser = argparse.ArgumentParser(prog=prog, description=lines, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *benches], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="fewer runs, to check that a benchmark works")
    parser.add_argument("--json", type=Path, default=results, help="file for the figures  [default: %(default)s]")
    options = parser.parse_args()
    figures: list[Figure] = []
    failed: list[str] = []
    for name in options.names or benches:
        print(f"{name}: {benches[name]} …", flush=True)
        try:
            figures += asyncio.run(_await(measure(name, options.quick)))
        except Exception:  # noqa: BLE001 - the figures measured so far must not be lost
            traceback.print_exc()
            failed.append(name)
    show(figures)
    file = write(figures, options.json)
    print(f"written to {file}")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return BenchResult(figures=figures, file=file, failed=failed)


async def _await(measuring: Awaitable[list[Figure]]) -> list[Figure]:
    return await measuring
