"""Measure the live layer: `python -m bench.sockets [NAME …] [--quick]`; without names, everything."""

from __future__ import annotations

import importlib
import os
import signal
from functools import partial

from bench.command import run
from bench.cores import Cores, assign_cores, raise_file_limit
from bench.report import RESULTS, Figure
from bench.sockets.comparison_chart import comparison

MEASURES = {
    "broadcast": "one message to all sockets: CPU for each delivery, against nchan, ws, Socket.IO and a loop in C",
    "scale": "one message to 1,000 and to 19,000 sockets: CPU for each delivery, against the loop in C",
    "fanout": "a photo from the worker over Redis to its author's followers: CPU of the live server for each delivery",
    "memory": "resident memory of idle connections, compared with the kernel's",
    "connects": "connects a second and core, compared with a bare aiohttp handler",
    "storm": "delivery delays while 10,000 other clients reconnect, compared with a bare aiohttp handler",
}


def main() -> None:
    """Run the benchmarks; exit 1 unless every goal was reached."""
    # SIGTERM stops the children in the same orderly way as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raise_file_limit()
    cores = assign_cores(os.sched_getaffinity(0))
    cores.use_other_cores()
    result = run("python -m bench.sockets", MEASURES, partial(_measure, cores), RESULTS / "live-latest.json")
    drawing = comparison(result.figures)
    if drawing is not None:
        picture = result.file.with_suffix(".svg")
        picture.write_text(drawing)
        print(f"chart written to {picture}")
    if not result.succeeded:
        raise SystemExit(1)


async def _measure(cores: Cores, name: str, quick: bool) -> list[Figure]:
    module = importlib.import_module(f"bench.sockets.measures.{name}")
    figures: list[Figure] = await module.measure(cores, quick=quick)
    return figures


if __name__ == "__main__":
    main()
