"""Measure pages with Lighthouse: `python -m bench.lighthouse [--page NAME] [--profile NAME] [--runs NUMBER]`.

Without options, this is `python -m bench lighthouse` without a file for the figures. Exit 1 unless every goal was
reached.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.lighthouse import PROFILES, Selection, measure_selection
from bench.lighthouse.pages import PAGES
from bench.report import show

_INTERACTIONS = "taps"


def main() -> None:
    """Measure the pages that the command line names, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lighthouse")
    parser.add_argument(
        "--page", action="append", choices=[*PAGES, _INTERACTIONS], help="may be repeated  [default: all of them]"
    )
    parser.add_argument("--profile", action="append", choices=PROFILES, help="may be repeated  [default: both]")
    parser.add_argument("--runs", type=int, default=5, help="of which the medians are shown  [default: %(default)s]")
    parser.add_argument("--reports", type=Path, help="folder for the reports of Lighthouse, as JSON")
    options = parser.parse_args()
    pages = options.page or [*PAGES, _INTERACTIONS]
    selection = Selection(
        pages=[page for page in pages if page != _INTERACTIONS],
        profiles=(options.profile or PROFILES) if pages != [_INTERACTIONS] else (),
        runs=options.runs,
        interactions=_INTERACTIONS in pages,
        reports=options.reports,
    )
    figures = asyncio.run(measure_selection(selection))
    show(figures)
    if any(item.reached is False for item in figures):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
