"""Run the mutation tests: `python -m mutation [PART …] [options]`; without parts, all of them.

Exits 1 if a mutant survived that is not in `accepted.toml`, or if a part's tests fail without a mutant.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mutation.accepted import FILE, read_accepted
from mutation.generation import mutants_of_file
from mutation.mutant import Mutant
from mutation.parts.all_parts import PARTS
from mutation.parts.part import Part
from mutation.run import try_all
from mutation.trials import BaselineError

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Try the mutants of the chosen parts, and print those that no test noticed."""
    options = _options()
    parts = [part for part in PARTS if not options.names or part.name in options.names]
    plan = [(part, list(_chosen(part, options.file, options.skip, options.every))) for part in parts]
    if options.list:
        for part, mutants in plan:
            print(f"{part.name:15} {len(mutants):5} mutants in {len(part.files(ROOT))} files")
        return
    # Stopped by a signal, it ends the engines and deletes the copy all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    began = time.monotonic()
    try:
        survivors = try_all(ROOT, plan, read_accepted())
    except BaselineError as error:
        raise SystemExit(str(error)) from None
    tried = sum(len(mutants) for _, mutants in plan)
    print(f"\n{tried} mutants in {(time.monotonic() - began) / 60:.0f} min; {len(survivors)} survived without a reason")
    if survivors:
        raise SystemExit(
            f"Write a test that notices each of them, or add it with the reason to {FILE.relative_to(ROOT)}."
        )


def _options() -> argparse.Namespace:
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m mutation", description=f"Parts: {', '.join(names)}")
    parser.add_argument("names", nargs="*", choices=[[], *names], metavar="PART")
    parser.add_argument("--file", default="*", help="only the files whose path matches, such as '*/edit.lua'")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth mutant, for a quick look")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="not the first N of each part, after a stop")
    parser.add_argument("--list", action="store_true", help="count the mutants of each part, and try none")
    return parser.parse_args()


def _chosen(part: Part, pattern: str, skip: int, every: int) -> Iterator[Mutant]:
    files = [path.relative_to(ROOT) for path in part.files(ROOT)]
    mutants = (mutant for path in files if path.match(pattern) for mutant in mutants_of_file(ROOT, str(path)))
    return itertools.islice(mutants, skip, None, every)


if __name__ == "__main__":
    main()
