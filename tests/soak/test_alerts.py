"""A rehearsal: each kind of fault once, with the shipped rules and intervals, and the time until its alert fires.

`make soak` alone runs it, because it takes minutes.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import aio_pika
import pytest
import pytest_asyncio

from tests.e2e.cluster import Cluster, cluster_in
from tests.engines.object_store import ObjectStore
from tests.engines.private import free_port
from tests.engines.prometheus import Prometheus, running_prometheus
from tests.support.certificates import Pair, pair
from tests.support.eventually import eventually
from tests.support.service import Service
from tests.support.small_disk import SmallDisk, can_mount

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

INTERVAL = "10s"  # as in deploy/prometheus/prometheus.yml
WITHIN = 60.0  # seconds from the fault to the alert
PATIENCE = 180.0  # seconds, so that a late alert is measured as well


class Watch:
    """What a Prometheus reports."""

    def __init__(self, prometheus: Prometheus) -> None:
        self.prometheus = prometheus

    async def measure(self, what: str, *alerts: str, within: float = WITHIN) -> None:
        """Wait for alerts, print the seconds until each, and fail if one took longer than `within`."""
        begun, taken = time.monotonic(), {}
        for alert in alerts:
            await self.prometheus.until_firing(alert, within=PATIENCE)
            taken[alert] = time.monotonic() - begun
        print(f"\n{what}: " + ", ".join(f"{alert} after {seconds:.0f} s" for alert, seconds in taken.items()))
        assert all(seconds <= within for seconds in taken.values()), taken

    async def quiet(self, *alerts: str) -> None:
        """Wait until alerts do not fire any more."""
        for alert in alerts:

            async def ended(name: str = alert) -> bool:
                await asyncio.sleep(1)
                return not await self.prometheus.firing(name)

            await eventually(ended, within=PATIENCE)


class Scene(Watch):
    """A cluster, a process with TLS, and the Prometheus that watches them."""

    def __init__(self, cluster: Cluster, tls: Service, files: Pair, prometheus: Prometheus) -> None:
        super().__init__(prometheus)
        self.cluster = cluster
        self.tls = tls
        self.files = files


async def all_are_scraped(prometheus: Prometheus, number: int) -> None:
    """Wait until all targets answer."""

    async def up() -> bool:
        await asyncio.sleep(1)
        values = [value for _, value in await prometheus.query("up")]
        assert values == [1.0] * number, values
        return True

    await eventually(up, within=PATIENCE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    engines_dir: Path, seaweed: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """One scene for this module; each test leaves it as it was."""
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(cluster_in(engines_dir / "watched", seaweed))
        files = pair(tmp_path_factory.mktemp("tls"), "watched.example")
        port = free_port()
        names = {"CERTIFICATE": files.certificate, "KEY": files.key}
        env = {f"PICSHARE_SERVER__TLS_{name}": str(path) for name, path in names.items()}
        tls = cluster.service("tls", "serve", "--role", "api", "--port", str(port), port=port, env=env)
        await tls.start(wait=False)
        stack.push_async_callback(tls.stop)
        targets = {name: [_port(process)] for name, process in cluster.processes.items()}
        watching = running_prometheus(engines_dir / "prometheus", targets, tls={"tls": [port]}, interval=INTERVAL)
        prometheus = await stack.enter_async_context(watching)
        await all_are_scraped(prometheus, len(targets) + 1)
        scene = Scene(cluster, tls, files, prometheus)
        await scene.quiet("PicshareBacklogUnknown")  # before the first scrape of the relay it is true
        yield scene


def _port(service: Service) -> int:
    return int(service.url.rsplit(":", 1)[1])


async def test_a_process_is_killed(scene: Scene) -> None:
    """The kernel has ended an API process."""
    await scene.cluster.kill("api1")
    await scene.measure("an API process is killed", "PicshareDown")
    await scene.cluster.restart("api1")
    await scene.quiet("PicshareDown")


async def test_a_process_is_frozen(scene: Scene) -> None:
    """A process that accepts connections, and answers none, is as good as dead; afterwards its stall is an alert."""
    process = scene.cluster.processes["api2"].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    await scene.measure("an API process is frozen", "PicshareDown")
    process.send_signal(signal.SIGCONT)
    await scene.measure("it goes on", "PicshareEventLoopStalls")
    await scene.quiet("PicshareDown", "PicshareEventLoopStalls")


async def test_a_worker_is_missing(scene: Scene) -> None:
    """Nothing consumes the queue of a worker that was stopped."""
    await scene.cluster.processes["bulk"].stop()
    await scene.measure("the worker bulk is stopped", "PicshareDown", "PicshareQueueWithoutConsumer")
    await scene.cluster.restart("bulk")
    await scene.quiet("PicshareDown", "PicshareQueueWithoutConsumer")


async def test_the_relay_is_missing(scene: Scene) -> None:
    """Nothing measures the queues, which no other alert can notice then."""
    await scene.cluster.kill("relay")
    await scene.measure("the relay is killed", "PicshareBacklogUnknown")
    await scene.cluster.restart("relay")
    await scene.quiet("PicshareBacklogUnknown")


@pytest.mark.parametrize("engine", ["redis", "rabbitmq"])
async def test_an_engine_is_killed(scene: Scene, engine: str) -> None:
    """Every process that needs the engine says so."""
    await scene.cluster.kill(engine)
    await scene.measure(f"{engine} is killed", "PicshareDependencyDown")
    await scene.cluster.restart(engine)
    await scene.quiet("PicshareDependencyDown")


async def test_a_job_has_failed_for_good(scene: Scene) -> None:
    """A dead letter waits for an operator."""
    connection = await aio_pika.connect(scene.cluster.rabbit.url)
    async with connection, connection.channel() as channel:
        await channel.default_exchange.publish(aio_pika.Message(b"", message_id="rehearsal"), "media.dead")
        await scene.measure("a dead letter", "PicshareDeadLetters")
        await (await channel.get_queue("media.dead", ensure=False)).purge()
    await scene.quiet("PicshareDeadLetters")


async def test_a_certificate_was_not_renewed(scene: Scene) -> None:
    """A certificate of three months has ten days left; then its successor does not fit the key."""
    folder, process = scene.files.certificate.parent, scene.tls.process
    assert process is not None
    pair(folder, "watched.example", begins=timedelta(days=-80), ends=timedelta(days=10))
    process.send_signal(signal.SIGHUP)
    await scene.measure("a certificate of ten days", "PicshareCertificateExpires")
    scene.files.certificate.write_bytes(b"no certificate")
    process.send_signal(signal.SIGHUP)
    await scene.measure("a certificate that cannot be used", "PicshareCertificateRefused")


async def test_the_disk_is_full(short_dir: Path, tmp_path: Path) -> None:
    """The reserve of a data directory is given up."""
    if not await can_mount(short_dir):
        pytest.skip("a small file system cannot be mounted here: it needs unshare(1) and the permission to use it")
    disk = SmallDisk(short_dir)
    await disk.service.start()
    try:
        # A Prometheus of its own: with that of the cluster it would seem to be one more process of it.
        targets = {"run": [_port(disk.service)]}
        async with running_prometheus(tmp_path / "prometheus", targets, interval=INTERVAL) as prometheus:
            await all_are_scraped(prometheus, 1)
            disk.fill()
            await Watch(prometheus).measure("a full disk", "PicshareDiskFull")
    finally:
        await disk.service.stop()
