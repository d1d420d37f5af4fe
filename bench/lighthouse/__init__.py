"""Lighthouse for the pages that users open most: its scores, and how long a user waits on a phone and on a desktop.

Each page is loaded in a new profile of Chromium, by turns with a page that only has a line of text and the same image.
The phone has Lighthouse's profile of a slow 4G network (150 ms, 1.6 Mbit/s) and a processor that is four times slower,
both simulated. A score depends on the machine a little, and Lighthouse says so; the ratio to the bare page does not.
`python -m bench.lighthouse` measures a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.lighthouse.figures import figures_of, figures_of_interactions, line_of, line_of_interactions
from bench.lighthouse.interactions import slowest_interactions
from bench.lighthouse.pages import BARE, PAGES, Page, served_pages
from bench.lighthouse.runs import Run, audit
from bench.report import Figure

PROFILES = ("phone", "desktop")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is measured, how often, and the folder that keeps Lighthouse's reports; None keeps none."""

    pages: Sequence[str] = PAGES
    profiles: Sequence[str] = PROFILES
    runs: int = 5
    interactions: bool = True
    reports: Path | None = None


QUICK = Selection(pages=("feed",), profiles=PROFILES[:1], runs=1)


async def measure(*, quick: bool) -> list[Figure]:
    """Return the scores and times of each page in each profile, the medians of runs; `quick`: the feed once."""
    return await measure_selection(QUICK if quick else Selection())


async def measure_selection(selection: Selection) -> list[Figure]:
    """Return the figures of a part, and print those of each run as soon as it ends."""
    found: dict[tuple[str, str], list[Run]] = {}
    delays: dict[str, list[float]] = {}
    async with served_pages() as pages:
        chosen = [page for page in pages if page.name == BARE or page.name in selection.pages]
        for number in range(1, selection.runs + 1):
            for profile in selection.profiles:
                for page in chosen:
                    run = await audit(
                        page.url, profile, await page.cookies(), _report(selection, page, profile, number)
                    )
                    found.setdefault((page.name, profile), []).append(run)
                    print(line_of(f"{number}: {page.name}, {profile}", run), flush=True)
            if selection.interactions:
                feed = next(page for page in pages if page.name == "feed")
                found_delays = await slowest_interactions(feed.url, await feed.cookies())
                print(line_of_interactions(f"{number}: taps and keys", found_delays), flush=True)
                for name, delay in found_delays.items():
                    delays.setdefault(name, []).append(delay)
    return [*figures_of(found), *(figures_of_interactions(delays) if delays else [])]


def _report(selection: Selection, page: Page, profile: str, number: int) -> Path | None:
    if selection.reports is None:
        return None
    return selection.reports / f"{page.name.replace(' ', '-')}-{profile}-{number}.json"
