"""What the unit costs of `picshare plan` expect of a load test, against the processor time that it takes.

Both are measured with the same installation, one after the other. The load test runs for a short and for a long time
with the same accounts, so that the difference is traffic alone, without connects and preparations.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.report import RATIO, Figure, figure, ratios
from loadtest.profiles import PROFILES, ProfileName
from server.measuring.installation import ACCOUNTS, Installation, running_installation
from server.measuring.units import Costs, measure_units
from server.measuring.workload import Workload
from server.planning.unit_costs import OTHERS
from tests.support.service import Service

GROUP = "a load test against its plan"
SOCKETS = 100
PHOTO_MEGAPIXELS = 640 * 427 / 1e6
PROFILE = PROFILES[ProfileName.MIXED]


async def measure(*, quick: bool) -> list[Figure]:
    """Return the cores that were expected and used, and both ratios."""
    runs, seconds = (1, 20.0) if quick else (3, 40.0)
    expected, used = [], []
    with tempfile.TemporaryDirectory(prefix="psb-") as folder:
        async with running_installation() as here:
            await _loadtest(here, Path(folder), 1.0, ["--keep", "tokens"])
            for _ in range(runs):
                async with Workload.open(here.url, here.url, accounts=ACCOUNTS) as workload:
                    costs = await measure_units(workload, here.components, scale=0.5)
                idle = await _idle(here)
                short, long = [await _run(here, Path(folder), length) for length in (5.0, 5.0 + seconds)]
                used.append((long[0] - short[0] - idle * (long[1] - short[1])) / seconds)
                expected.append(_expected(costs))
    return [
        figure(GROUP, "expected", "cores", expected),
        figure(GROUP, "used", "cores", used),
        *(
            figure(GROUP, name, RATIO, values, at_most=1.3, limit="unit costs that were measured right before")
            for name, values in (
                ("expected : used", ratios(expected, used)),
                ("used : expected", ratios(used, expected)),
            )
        ),
    ]


def _expected(costs: Costs) -> float:
    """Return the busy cores for the rates of the profile."""

    def cost(unit: str) -> float:
        return sum(costs[unit].values())

    other = {unit: sum(components.values()) for unit, (components, _) in OTHERS.items()}
    upload = cost("upload") + PHOTO_MEGAPIXELS * cost("megapixel") + PROFILE.followers * other["delivery"]
    rates = PROFILE.uploads * upload + PROFILE.likes * cost("like") + PROFILE.reads * cost("page")
    return (rates + SOCKETS / 25 * other["ping"]) / 1e6


async def _idle(here: Installation) -> float:
    """Return the cores that the installation uses without a load."""
    before, began = _total(here), time.monotonic()
    await asyncio.sleep(5.0)
    return (_total(here) - before) / (time.monotonic() - began)


async def _run(here: Installation, folder: Path, seconds: float) -> tuple[float, float]:
    """Return the processor seconds of a load test, and how long it was."""
    before, began = _total(here), time.monotonic()
    await _loadtest(here, folder, seconds, ["--tokens", "tokens"])
    return _total(here) - before, time.monotonic() - began


async def _loadtest(here: Installation, folder: Path, seconds: float, options: list[str]) -> None:
    command = ["loadtest", here.url, "--sockets", str(SOCKETS), "--profile", "mixed", "--seconds", str(seconds)]
    service = Service([*command, "--patience", "30", *options], folder=folder, name="loadtest")
    await service.start(wait=False)
    assert service.process is not None
    assert await service.process.wait() in (0, 1), service.log()


def _total(here: Installation) -> float:
    return sum(here.components.seconds().values())
