"""What traces cost: processor time of a page of the feed in an application with traces, and in one without.

One process serves all applications, over the same stores, in turn; ratios are formed within each round. Without
`tracing.endpoint` the middleware is not there. With it, and a share of 0, every request passes the seam and none is
sampled. The collector is a port that is closed, so spans are made and batched, and dropped at the end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import psutil

from bench.cores import assign_cores
from bench.feed import API, CONNECTIONS, FeedServer, feed_server
from bench.feed_community import ONE_AUTHOR
from bench.http_load import request_rate
from bench.report import RATIO, Figure, figure, ratios
from tests.engines.private import free_port

GROUP = "GET /feed with traces"
_OFF = "without traces"
_SHARES = {"none of the requests sampled": 0.0, "1 % sampled": 0.01, "all sampled": 1.0}


async def measure(*, quick: bool) -> list[Figure]:
    """Return the processor times and their ratios; raises `TooFewCoresError` where there is one core only."""
    runs, seconds = (3, 1.0) if quick else (9, 3.0)
    ports = {name: free_port() for name in _SHARES}
    traced = {port: _SHARES[name] for name, port in ports.items()}
    async with feed_server(assign_cores(os.sched_getaffinity(0)), traced=traced) as server:
        measured: Mapping[str, list[float]] = {name: [] for name in (_OFF, *_SHARES)}
        every = {_OFF: server.port, **ports}
        for port in every.values():
            page_cost(server, port, seconds=1.0)
        for run in range(runs):
            # Each round begins with another one, so that what comes first has no advantage.
            names = list(every)[run % len(every) :] + list(every)[: run % len(every)]
            for name in names:
                measured[name].append(page_cost(server, every[name], seconds=seconds))
    off = measured[_OFF]
    return [
        *(figure(GROUP, name, "µs", values) for name, values in measured.items()),
        figure(
            GROUP,
            "ratio of the application that samples nothing",
            RATIO,
            ratios(measured["none of the requests sampled"], off),
            at_most=1.02,
            limit="the same application without the middleware; a middleware of aiohttp and a random number",
        ),
        figure(GROUP, "ratio at 1 %", RATIO, ratios(measured["1 % sampled"], off)),
        figure(GROUP, "ratio with all sampled", RATIO, ratios(measured["all sampled"], off)),
    ]


def page_cost(server: FeedServer, port: int, *, seconds: float) -> float:
    """Return the microseconds of processor time of the server for each page."""
    process = psutil.Process(server.pid)
    before = process.cpu_times()
    rate = request_rate(port, API, server.tokens[ONE_AUTHOR], connections=CONNECTIONS, seconds=seconds)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return spent / (rate * seconds) * 1e6
