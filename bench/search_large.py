"""The searches of `bench.search` among a million users and five million photos."""

from __future__ import annotations

from bench.report import Figure
from bench.search import figures_of


async def measure(*, quick: bool) -> list[Figure]:
    """Return the times of each kind of search, and the share of misspelt names that are found."""
    if quick:
        return await figures_of(users=20_000, photos=100_000, searches=20, rounds=1)
    return await figures_of(users=1_000_000, photos=5_000_000, searches=30, rounds=3)
