"""`picshare loadtest` against a real service: it reports success, and detects failures."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp
import psutil
import pytest
import pytest_asyncio

from tests.engines.private import free_port
from tests.support.eventually import eventually
from tests.support.service import Service
from tests.support.tampering_proxy import Tamper, TamperingProxy

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

TIMEOUT = 60.0  # seconds for one load test
Make = Callable[..., "LoadTest"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[Service]:
    """A PicShare without users, whose limits do not restrict a load test."""
    folder, port = Path(tempfile.mkdtemp(prefix="psl-")), free_port()
    limits = {f"PICSHARE_LIMITS__{name}": "1000000/m" for name in ("LIKES", "UPLOADS", "READS", "WRITES")}
    service = Service(["run", "--no-demo", "--port", str(port)], folder=folder, name="run", port=port, env=limits)
    try:
        await service.start()
        yield service
    finally:
        if service.process is not None and service.process.returncode is None:
            await service.stop()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


class LoadTest:
    """One `picshare loadtest` and its results."""

    def __init__(self, folder: Path, url: str, *arguments: str) -> None:
        self.json, self.picture = folder / "figures.json", folder / "picture.svg"
        files = ["--json", str(self.json), "--picture", str(self.picture)]
        self.service = Service(["loadtest", url, *arguments, *files], folder=folder, name="loadtest")

    async def start(self) -> None:
        """Start it."""
        await self.service.start(wait=False)

    async def wait_for_output(self, text: str) -> None:
        """Wait until it has printed a text."""
        await eventually(lambda: text in self.output, within=TIMEOUT)

    async def wait(self) -> int:
        """Wait for its end and return the exit code."""
        assert self.service.process is not None
        async with asyncio.timeout(TIMEOUT):
            return await self.service.process.wait()

    async def run(self) -> int:
        """Start it, wait for its end and return the exit code."""
        await self.start()
        return await self.wait()

    @property
    def output(self) -> str:
        """Return everything it has printed."""
        return self.service.log()

    @property
    def figures(self) -> dict[str, Any]:
        """Return the JSON report."""
        figures: dict[str, Any] = json.loads(self.json.read_text())
        return figures


@pytest_asyncio.fixture(loop_scope="module")
async def load_test(tmp_path: Path) -> AsyncIterator[Make]:
    """A factory of load tests; those that still run at the end of the test are killed."""
    made: list[LoadTest] = []

    def make(url: str, *arguments: str) -> LoadTest:
        made.append(LoadTest(tmp_path, url, *arguments))
        return made[-1]

    yield make
    for test in made:
        process = test.service.process
        if process is not None and process.returncode is None:
            await test.service.kill()


def assert_complete(figures: dict[str, Any], kind: str) -> None:
    """Check that every expected delivery of a kind arrived once."""
    item = figures["deliveries"][kind]
    assert item["delivered"] == item["expected"] == item["latency"]["number"] > 0
    assert not any(item[name] for name in ("lost", "late", "duplicate", "told_gaps", "unjudged", "unfinished"))


async def test_likes_reach_their_owners(service: Service, load_test: Make) -> None:
    """Forty sockets in two processes: every like reaches each of its owner's sockets once; the users are deleted."""
    test = load_test(service.url, "--sockets", "40", "--processes", "2", "--profile", "likes", "--seconds", "2")
    assert await test.run() == 0, test.output
    assert_complete(test.figures, "like")
    assert test.figures["sockets"]["connected"] == 40
    assert (test.figures["lost"], test.figures["duplicates"], test.figures["disorder"]) == (0, 0, 0)
    assert "none lost, none duplicated, none out of order" in test.output
    assert ET.parse(test.picture).getroot().tag.endswith("svg")  # noqa: S314 - our own
    async with aiohttp.ClientSession() as http, http.get(f"{service.url}/api/v1/users?query=lt_") as response:
        assert (await response.json())["items"] == []


async def test_a_storm_loses_nothing(service: Service, load_test: Make) -> None:
    """Forty sockets are cut twice during likes and uploads: all reconnect and receive what they missed."""
    storm = ("--profile", "storm", "--storm-every", "1", "--uploads", "4", "--likes", "20", "--seconds", "3")
    test = load_test(service.url, "--sockets", "40", *storm)
    assert await test.run() == 0, test.output
    figures = test.figures
    assert_complete(figures, "like")
    assert_complete(figures, "photo")
    sockets = figures["sockets"]
    # The second storm cuts only sockets that have reconnected since the first.
    assert 40 <= sockets["cut"] == sockets["reconnected"] <= 80
    assert (sockets["streams_recovered"], sockets["streams_not_recovered"]) == (2 * sockets["cut"], 0)
    assert sum(slot["cut"] for slot in figures["timeline"]) == sockets["cut"]


def once(kind: str, change: Tamper) -> Tamper:
    """Return a tamper that changes the first frame of a kind and passes on all others."""
    done: list[str] = []

    def tamper(frame: str) -> list[str]:
        if not done and kind in frame and '"push"' in frame:
            done.append(frame)
            return change(frame)
        return [frame]

    return tamper


def swapped() -> Tamper:
    """Return a tamper that swaps the first two photos."""
    kept: list[str] = []

    def tamper(frame: str) -> list[str]:
        if '"photo.new"' not in frame or len(kept) > 1:
            return [frame]
        kept.append(frame)
        return [] if len(kept) == 1 else [frame, kept[0]]

    return tamper


async def test_losses_repeats_and_disorder_are_detected(service: Service, load_test: Make) -> None:
    """A lost photo, a lost like, a repeated photo and two photos out of order: exit code 1."""
    tampers = (
        once('"photo.new"', lambda _: []),
        once('"notification"', lambda _: []),
        once('"photo.new"', lambda frame: [frame, frame]),
        swapped(),
    )
    load = ("--sockets", "6", "--profile", "mixed", "--uploads", "5", "--seconds", "2", "--patience", "4")
    async with TamperingProxy(service.url, *tampers).serving() as proxy:
        test = load_test(proxy.url, *load)
        assert await test.run() == 1, test.output
    figures = test.figures
    assert (figures["deliveries"]["photo"]["lost"], figures["deliveries"]["like"]["lost"]) == (1, 1), test.output
    assert (figures["duplicates"], figures["disorder"], figures["well"]) == (1, 1, False), test.output
    for sentence in ("Lost: 1 of", "Duplicated deliveries: 1.", "Publications out of order: 1 "):
        assert sentence in test.output


async def test_ctrl_c_reports_what_was_measured(service: Service, load_test: Make) -> None:
    """The first SIGINT stops the traffic, waits for pending deliveries, and reports."""
    test = load_test(service.url, "--sockets", "6", "--profile", "likes", "--seconds", "600")
    await test.start()
    await test.wait_for_output("traffic: 2 of 600 s")
    assert test.service.process is not None
    test.service.process.send_signal(signal.SIGINT)
    assert await test.wait() == 0, test.output
    assert_complete(test.figures, "like")
    assert 2 <= test.figures["acting_seconds"] < 60
    assert "Traceback" not in test.output


async def test_ctrl_c_before_any_measurement_is_one_sentence(service: Service, load_test: Make) -> None:
    """While the users are being created there is nothing to report."""
    test = load_test(service.url, "--sockets", "400", "--users", "400")
    await test.start()
    await test.wait_for_output("preparing: ")
    assert test.service.process is not None
    test.service.process.send_signal(signal.SIGINT)
    assert await test.wait() == 2
    assert "picshare: Stopped before anything was measured." in test.output
    assert not test.json.exists()


async def test_a_killed_tester_process_is_reported(service: Service, load_test: Make) -> None:
    """The figures so far are reported, and the exit code shows that the test was incomplete."""
    load = ("--sockets", "8", "--processes", "2", "--profile", "likes", "--seconds", "600")
    test = load_test(service.url, *load)
    await test.start()
    await test.wait_for_output("traffic: 0 of 600 s")
    children = psutil.Process(test.service.pid).children()
    assert len(children) == 2
    children[0].kill()
    assert await test.wait() == 2, test.output
    assert "picshare: A tester process ended by SIGKILL" in test.output
    assert test.figures["sockets"]["connected"] == 8


async def test_users_can_be_kept_and_reused(service: Service, load_test: Make, tmp_path: Path) -> None:
    """With `--keep` the accounts stay, and with `--tokens` a second test uses them."""
    users = tmp_path / "people"
    load = ("--sockets", "4", "--profile", "likes", "--seconds", "1", "--keep", str(users))
    first = load_test(service.url, *load)
    assert await first.run() == 0, first.output
    assert len(users.read_text().splitlines()) == 2
    second = load_test(service.url, *load, "--tokens", str(users))
    assert await second.run() == 0, second.output
    assert_complete(second.figures, "like")
    assert second.figures["plan"]["people"] == 2
