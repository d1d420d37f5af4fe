"""Run the benchmarks: `python -m bench [NAME …] [--quick]`; without names, all of them."""

from __future__ import annotations

import argparse
import asyncio
import importlib
from pathlib import Path

from bench.report import Figure, keep, show

BENCHES = {
    "fanout": "feed insertions a second, against pipelined ZADDs, and the memory of a full feed",
    "feed": "GET /feed against a handler that returns the same bytes from memory",
    "uploads": "memory of the API process while large photos are uploaded",
    "live": "from a like to the owner's socket, from an upload to a follower's",
}


def main() -> None:
    """Run what was asked for, print the table, keep the JSON; exit 1 if a goal was missed."""
    lines = "\n".join(f"  {name:10} {text}" for name, text in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=lines, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="fewer runs, to see that a bench works")
    parser.add_argument("--json", type=Path, help="where to keep the figures  [default: bench/results/latest.json]")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in options.names or BENCHES:
        print(f"{name}: {BENCHES[name]} …", flush=True)
        bench = importlib.import_module(f"bench.{name}")
        figures += asyncio.run(bench.measure(quick=options.quick))
    show(figures)
    print(f"kept in {keep(figures, options.json)}")
    if any(item.reached is False for item in figures):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
