"""Measure the live layer: `python -m bench.sockets [NAME …] [--quick]`; without names, everything."""

from __future__ import annotations

import importlib
import os
import signal
from functools import partial

from bench.command import run
from bench.cores import Cores, raise_file_limit, share_out
from bench.report import RESULTS, Figure
from bench.sockets.comparison_chart import comparison

MEASURES = {
    "broadcast": "one message to all sockets: CPU for each delivery, beside nchan, ws, Socket.IO and a loop in C",
    "fanout": "a photo from the worker over Redis to its author's followers: CPU of the live server for each delivery",
    "memory": "resident memory of idle connections, and the kernel's",
    "connects": "connects a second and core, with token, streams and registration",
    "storm": "delays of the connected while 10,000 others come back",
}


def main() -> None:
    """Measure what was asked for; exit 1 unless every goal was reached."""
    # Whoever ends this with SIGTERM gets the same orderly end as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raise_file_limit()
    cores = share_out(os.sched_getaffinity(0))
    cores.stay_off()
    outcome = run("python -m bench.sockets", MEASURES, partial(_measure, cores), RESULTS / "live-latest.json")
    drawing = comparison(outcome.figures)
    if drawing is not None:
        picture = outcome.kept.with_suffix(".svg")
        picture.write_text(drawing)
        print(f"drawn in {picture}")
    if not outcome.good:
        raise SystemExit(1)


async def _measure(cores: Cores, name: str, quick: bool) -> list[Figure]:
    module = importlib.import_module(f"bench.sockets.measures.{name}")
    figures: list[Figure] = await module.measure(cores, quick=quick)
    return figures


if __name__ == "__main__":
    main()
