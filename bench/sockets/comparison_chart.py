"""The bar chart that compares the servers, drawn from the figures of a run."""

from __future__ import annotations

from collections.abc import Sequence

from bench.bar_chart import Bar, Group, draw
from bench.report import Figure
from bench.sockets.measures.broadcast import UNIT
from bench.sockets.peers.picshare import PICSHARE


def comparison(figures: Sequence[Figure]) -> str | None:
    """Return an SVG of each server's CPU time for a delivery; None if it was not measured."""
    costs = [item for item in figures if item.unit == UNIT and item.group.endswith(" sockets")]
    groups = dict.fromkeys(item.group for item in costs)
    if not groups:
        return None
    return draw(
        "The server's CPU for each delivered message, 300 bytes",
        f"{UNIT}, median and spread",
        [Group(heading=group, bars=[_bar(item) for item in costs if item.group == group]) for group in groups],
    )


def _bar(item: Figure) -> Bar:
    return Bar(
        label=item.name,
        value=item.median,
        least=item.least,
        greatest=item.greatest,
        ours=item.name == PICSHARE.name,
    )
