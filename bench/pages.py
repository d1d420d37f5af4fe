"""Pages of 20 photos over HTTP, read in turns: feeds with and without stars, and what trends against a feed.

The server is that of `bench.feed`. Both feeds have the same photos of the same 20 authors, who are stars for one of the
viewers. The pages are read one after the other over one connection each, so the percentiles are those of an idle
server; the rates are those of 32 connections.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from functools import partial

from bench.cores import assign_cores
from bench.feed import CONNECTIONS, FeedServer, feed_server
from bench.feed_community import AUTHORS, STARS
from bench.http_load import Page, request_rate
from bench.report import RATIO, Figure, figure, percentile, ratios

GROUP = "pages of 20 photos"
FEED, TRENDING = "/api/v1/feed?limit=20", "/api/v1/photos/trending?limit=20"
STARS_GOAL, TRENDING_GOAL = 1.15, 1.2

_PAGES = {"feed of 20 authors": (FEED, AUTHORS), "feed of 20 stars": (FEED, STARS), "trending": (TRENDING, AUTHORS)}


async def measure(*, quick: bool) -> list[Figure]:
    """Return rates and percentiles of each page, and their ratios."""
    runs, seconds, reads = (3, 1.0, 200) if quick else (7, 3.0, 2_000)
    rates: dict[str, list[float]] = {name: [] for name in _PAGES}
    p95: dict[str, list[float]] = {name: [] for name in _PAGES}
    async with feed_server(assign_cores(os.sched_getaffinity(0))) as server:
        for run in range(runs + 1):
            found = _percentiles(server, reads)
            for name, (path, viewer) in _PAGES.items():
                rate_of = partial(request_rate, token=server.tokens[viewer], connections=CONNECTIONS, seconds=seconds)
                rate = rate_of(server.port, path)
                if run:  # the first run warms up
                    rates[name].append(rate)
                    p95[name].append(found[name])
    return _figures(rates, p95)


def _percentiles(server: FeedServer, reads: int) -> dict[str, float]:
    """Return the 95th percentile of each page in milliseconds, read in turns."""
    delays: dict[str, list[float]] = {name: [] for name in _PAGES}
    with ExitStack() as stack:
        pages = {
            name: stack.enter_context(closing(Page(server.port, path, server.tokens[viewer])))
            for name, (path, viewer) in _PAGES.items()
        }
        for _ in range(reads):
            for name, page in pages.items():
                delays[name].append(page.read())
    return {name: percentile(values, 0.95) for name, values in delays.items()}


def _figures(rates: dict[str, list[float]], p95: dict[str, list[float]]) -> list[Figure]:
    feed, starred, trending = _PAGES
    figures = [
        item
        for name in _PAGES
        for item in (
            figure(GROUP, f"{name}, {CONNECTIONS} connections", "/s", rates[name]),
            figure(GROUP, f"{name}, 95 of 100", "ms", p95[name]),
        )
    ]
    return [
        *figures,
        figure(
            GROUP,
            "time of the server for a feed of 20 stars : of 20 authors",
            RATIO,
            ratios(rates[feed], rates[starred]),
            at_most=STARS_GOAL,
            limit="the same page of the same photos without stars",
        ),
        figure(
            GROUP,
            "trending : feed, 95 of 100",
            RATIO,
            ratios(p95[trending], p95[feed]),
            at_most=TRENDING_GOAL,
            limit="a page of as many photos that needs no database",
        ),
        figure(GROUP, "time of the server for trending : feed", RATIO, ratios(rates[feed], rates[trending])),
    ]
