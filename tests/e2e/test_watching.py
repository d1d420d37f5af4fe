"""A real Prometheus watches a real `picshare run`: the dashboards have data, and what breaks becomes an alert.

Its traces are received as well, because the start of a service takes longest.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import psutil
import pytest

from deploy.grafana.dashboards import DASHBOARDS
from deploy.grafana.panels import RATE, Panel
from tests.engines.prometheus import Prometheus, running_prometheus
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.otlp_receiver import otlp_receiver
from tests.support.pictures import encoded, halves
from tests.support.run import Run
from tests.support.service import Service
from tests.support.traced_upload import check_trace, tracing_settings, upload_traced

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

_LIMITS = ("LIKES", "UPLOADS", "READS", "WRITES", "SIGN_IN_ADDRESS", "SIGN_IN_ACCOUNT")
DEADLINE = 90.0  # seconds, on a busy machine; the rehearsal of `make soak` measures the time
PANELS = {f"{each.title}: {panel.title}": panel for each in DASHBOARDS for panel in each.panels()}


@asynccontextmanager
async def a_little_load(http: aiohttp.ClientSession, url: str) -> AsyncIterator[None]:
    """Upload, like, read and sign in about once a second until the end of the block; a fan is connected."""
    author, fan = await ApiUser.sign_up(http, url), await ApiUser.sign_up(http, url)
    await fan.follow(author)
    await author.go_live()
    live = await fan.go_live()

    async def act(number: int) -> None:
        photo = await author.upload(encoded(halves(600 + number, 400)), f"Photo {number}")
        await eventually(lambda: live.has_photo(photo["id"]), within=DEADLINE)
        (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
        newest = (await fan.feed(pages=1))[0]
        assert (await fan.call("GET", newest["urls"]["feed"])).status == 200
        await fan.sign_in()

    async def keep_acting() -> None:
        for number in itertools.count():
            await act(number)
            await asyncio.sleep(0.5)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(keep_acting())
        try:
            yield
        finally:
            task.cancel()
            await author.leave()
            await fan.leave()


async def without_data(prometheus: Prometheus, panels: dict[str, Panel]) -> dict[str, Panel]:
    """Return the panels of which no query has data; every query is answered without an error."""
    found = {}
    for name, panel in panels.items():
        answers = [await prometheus.has_data(query.replace(RATE, "20s")) for query in panel.queries.values()]
        if not any(answers):
            found[name] = panel
    return found


async def frozen(service: Service, name: str) -> psutil.Process:
    """Freeze the child process of this name, as an engine that accepts connections and does not answer."""
    children = psutil.Process(service.pid).children(recursive=True)
    process = next(child for child in children if name in child.name())
    process.send_signal(signal.SIGSTOP)
    return process


async def test_dashboards_alerts_and_traces(run: Run) -> None:
    """Every query is answered, panels have data under load, and an engine and a process that fail are alerts.

    A sampled upload leaves a trace from the request to the socket.
    """
    limits = {f"PICSHARE_LIMITS__{name}": "1000000/m" for name in _LIMITS}
    async with (
        otlp_receiver() as receiver,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http,
        running_prometheus(run.folder / "prometheus", {"run": [run.port]}, interval="1s") as prometheus,
    ):
        service = run.service("--no-demo", env=limits | tracing_settings(receiver))
        await service.start()
        author, fan = await ApiUser.sign_up(http, run.url), await ApiUser.sign_up(http, run.url)
        await fan.follow(author)
        trace, parent = await upload_traced(author, fan)
        # Queries whose panels may be empty must be answered all the same.
        await without_data(prometheus, PANELS)
        async with a_little_load(http, run.url):
            missing = {name: panel for name, panel in PANELS.items() if not panel.empty}

            async def all_have_data() -> bool:
                nonlocal missing
                await asyncio.sleep(1)  # until the next scrape
                missing = await without_data(prometheus, missing)
                assert not missing, sorted(missing)
                return True

            await eventually(all_have_data, within=DEADLINE)
        assert not await prometheus.firing("PicshareDependencyDown")
        engine = await frozen(service, "valkey")
        try:
            await prometheus.until_firing("PicshareDependencyDown", within=DEADLINE)
        finally:
            engine.send_signal(signal.SIGCONT)
        await fan.leave()
        await service.stop()
        check_trace(receiver, trace, parent)
        await prometheus.until_firing("PicshareDown", within=DEADLINE)
