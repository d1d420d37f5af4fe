"""The command line of a set of benchmarks: which, how thoroughly, and where the figures are kept."""

from __future__ import annotations

import argparse
import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import Figure, keep, show

Measure = Callable[[str, bool], Awaitable[list[Figure]]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was measured, the file in which it is kept, and the names of the benches that broke down."""

    figures: Sequence[Figure]
    kept: Path
    broken: Sequence[str]

    @property
    def good(self) -> bool:
        """Tell whether everything was measured and every goal reached."""
        return not self.broken and all(item.reached is not False for item in self.figures)


def run(prog: str, benches: Mapping[str, str], measure: Measure, results: Path) -> Outcome:
    """Run what was asked for (all, without names), print the table, keep the JSON.

    `measure` is called with a bench's name and whether it is to be quick. One that raises is told with its trace, and
    the others are still run.
    """
    lines = "\n".join(f"  {name:10} {text}" for name, text in benches.items())
    parser = argparse.ArgumentParser(prog=prog, description=lines, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *benches], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="fewer runs, to see that a bench works")
    parser.add_argument("--json", type=Path, default=results, help="where to keep the figures  [default: %(default)s]")
    options = parser.parse_args()
    figures: list[Figure] = []
    broken: list[str] = []
    for name in options.names or benches:
        print(f"{name}: {benches[name]} …", flush=True)
        try:
            figures += asyncio.run(_measured(measure(name, options.quick)))
        except Exception:  # noqa: BLE001 - what was measured before is worth keeping
            traceback.print_exc()
            broken.append(name)
    show(figures)
    kept = keep(figures, options.json)
    print(f"kept in {kept}")
    if broken:
        print(f"broke down: {', '.join(broken)}")
    return Outcome(figures=figures, kept=kept, broken=broken)


async def _measured(measuring: Awaitable[list[Figure]]) -> list[Figure]:
    return await measuring
