"""Lighthouse for the pages that users open most: its scores, and how long a user waits on a phone and on a desktop.

Each page is loaded in a new profile of Chromium, by turns with a page that only has a line of text and the same image.
The phone has Lighthouse's profile of a slow 4G network (150 ms, 1.6 Mbit/s) and a processor that is four times slower,
both simulated. A score depends on the machine a little, and Lighthouse says so; the ratio to the bare page does not.
"""

from __future__ import annotations

from bench.lighthouse.figures import figures_of, figures_of_interactions
from bench.lighthouse.interactions import slowest_interactions
from bench.lighthouse.pages import BARE, served_pages
from bench.lighthouse.runs import Run, audit
from bench.report import Figure

PROFILES = ("phone", "desktop")
QUICK = (BARE, "feed")


async def measure(*, quick: bool) -> list[Figure]:
    """Return the scores and times of each page in each profile, the medians of runs; `quick`: the feed once."""
    runs, profiles = (1, PROFILES[:1]) if quick else (5, PROFILES)
    found: dict[tuple[str, str], list[Run]] = {}
    delays: dict[str, list[float]] = {}
    async with served_pages() as pages:
        for _ in range(runs):
            for profile in profiles:
                for page in [page for page in pages if page.name in QUICK or not quick]:
                    run = await audit(page.url, profile, await page.cookies())
                    found.setdefault((page.name, profile), []).append(run)
            feed = next(page for page in pages if page.name == "feed")
            for name, delay in (await slowest_interactions(feed.url, await feed.cookies())).items():
                delays.setdefault(name, []).append(delay)
    return [*figures_of(found), *figures_of_interactions(delays)]
