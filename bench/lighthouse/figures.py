"""The figures of Lighthouse's runs: scores with their goal, times, and their ratio to the bare page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.lighthouse.pages import BARE
from bench.lighthouse.runs import Run
from bench.report import COUNT, RATIO, Figure, figure, ratios

GOAL = 95  # points of 100
SHIFT_GOAL = 0.02
_SCORE = "the scale of Lighthouse: 100 is the best twentieth of the pages of the web"


def line_of(name: str, run: Run) -> str:
    """Return a line with the figures of one run."""
    scores = "/".join(f"{score:.0f}" for score in run.scores.values())
    return (
        f"  {name}: {scores} points, first paint {run.first_paint:,.0f} ms, largest {run.largest_paint:,.0f} ms, "
        f"blocked {run.blocked:,.0f} ms, shift {run.shift:.4f}, {run.bytes / 1000:,.0f} kB, {run.requests:.0f} requests"
    )


def line_of_interactions(name: str, delays: Mapping[str, float]) -> str:
    """Return a line with the delays of one run."""
    return f"  {name}: " + ", ".join(f"{action} {delay:.0f} ms" for action, delay in delays.items())


def figures_of(found: Mapping[tuple[str, str], Sequence[Run]]) -> list[Figure]:
    """Return the figures of each page and profile; prints what costs points."""
    figures = []
    for (page, profile), runs in found.items():
        group = f"Lighthouse, {profile}"
        if page == BARE:
            figures.append(figure(group, f"{page}: largest paint", "ms", [run.largest_paint for run in runs]))
            continue
        bare = [run.largest_paint for run in found[BARE, profile]]
        figures += [
            *(
                figure(group, f"{page}: {name}", COUNT, [run.scores[name] for run in runs], at_least=GOAL, limit=_SCORE)
                for name in runs[0].scores
            ),
            figure(group, f"{page}: first paint", "ms", [run.first_paint for run in runs]),
            figure(group, f"{page}: largest paint", "ms", [run.largest_paint for run in runs]),
            figure(
                group, f"{page}: largest paint : bare page", RATIO, ratios([run.largest_paint for run in runs], bare)
            ),
            figure(group, f"{page}: blocked by scripts", "ms", [run.blocked for run in runs]),
            figure(
                group,
                f"{page}: shift of the layout",
                COUNT,
                [run.shift for run in runs],
                at_most=SHIFT_GOAL,
                limit="0.1 is good by Core Web Vitals; a page with its sizes known in advance does not shift",
            ),
            figure(group, f"{page}: transferred", "kB", [run.bytes / 1000 for run in runs]),
            figure(group, f"{page}: requests", COUNT, [run.requests for run in runs]),
        ]
        faults = Counter(fault for run in runs for fault in run.faults)
        print(f"  {page}, {profile}: {dict(faults) or 'nothing costs points'}")
    return figures


def figures_of_interactions(delays: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Return the delay of each interaction, and of the slowest in each run."""
    group = "taps and keys, phone"
    slowest = [max(values) for values in zip(*delays.values(), strict=True)]
    return [
        *(figure(group, name, "ms", values) for name, values in delays.items()),
        figure(group, "the slowest (INP)", "ms", slowest),
    ]
