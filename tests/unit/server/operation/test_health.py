"""Liveness, readiness and metrics over HTTP."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.operation.health import Health, add_health_routes
from server.operation.metrics import Metrics
from tests.support.eventually import PROMPTLY


async def succeed() -> None:
    """Return."""


async def fail() -> None:
    """Fail with a reason that must not be public."""
    raise OSError("10.0.0.5 refused user picshare")


async def hang() -> None:
    """Never return."""
    await asyncio.Event().wait()


async def client_of(health: Health, metrics: Metrics | None = None) -> TestClient[web.Request, web.Application]:
    """Return a client of an application with the health routes."""
    app = web.Application()
    add_health_routes(app, health, metrics or Metrics("test"))
    client = TestClient(TestServer(app))
    await client.start_server()
    return client


async def test_ready_only_between_start_and_drain() -> None:
    """A process is ready after its start and until it drains; it is alive all the time."""
    health = Health({"database": succeed})
    client = await client_of(health)
    try:
        statuses = []
        for health.started, health.draining in ((False, False), (True, False), (True, True)):
            statuses.append((await client.get("/readyz")).status)
            assert (await client.get("/healthz")).status == 200
        assert statuses == [503, 200, 503]
    finally:
        await client.close()


async def test_a_failed_check_is_named_without_its_reason() -> None:
    """The response names a failed dependency, but neither its address nor the reason."""
    health = Health({"database": succeed, "redis": fail})
    health.started = True
    client = await client_of(health)
    try:
        response = await client.get("/readyz")
        assert response.status == 503
        assert await response.json() == {"status": "not ready", "failing": ["redis"]}
    finally:
        await client.close()


async def test_a_degraded_process_is_ready() -> None:
    """A failed dependency that the process can do without is named, and the process stays ready."""
    health = Health({"database": succeed}, degrading={"blobs": fail})
    health.started = True
    client = await client_of(health)
    try:
        response = await client.get("/readyz")
        assert response.status == 200
        assert await response.json() == {"status": "ready", "degraded": ["blobs"]}
    finally:
        await client.close()


async def test_a_store_that_hangs_does_not_delay_readiness() -> None:
    """A dependency that the process can do without gets half a second, so that no load balancer gives up."""
    health = Health({"database": succeed}, degrading={"blobs": hang})
    health.started = True
    client = await client_of(health)
    try:
        async with asyncio.timeout(PROMPTLY):
            response = await client.get("/readyz")
        assert await response.json() == {"status": "ready", "degraded": ["blobs"]}
    finally:
        await client.close()


async def test_a_check_without_a_result_fails_at_its_deadline() -> None:
    """A check that does not return within its deadline counts as failed."""
    health = Health({"broker": hang}, deadline=0.05)
    assert set(await health.failures()) == {"broker"}


async def test_metrics_have_the_recorded_values() -> None:
    """Requests, jobs, connections and queues are in the text of the metrics under their names."""
    metrics = Metrics("1.2")
    metrics.request_done(method="GET", route="/api/v1/photos/{id}", status=200, seconds=0.01)
    metrics.job(queue="media", outcome="done", seconds=0.2)
    metrics.live_opened()
    metrics.live_closed(3001)
    metrics.live_sent(3)
    metrics.live_recovered(recovered=2, lost=1)
    metrics.feeds_inserted(7)
    metrics.backlog({"media": 4, "media.dead": 1}, oldest_seconds=2.5)
    client = await client_of(Health({}), metrics)
    try:
        response = await client.get("/metrics")
        text = await response.text()
    finally:
        await client.close()
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    for line in (
        'picshare_http_requests_total{method="GET",route="/api/v1/photos/{id}",status="200"} 1.0',
        'picshare_jobs_total{outcome="done",queue="media"} 1.0',
        'picshare_live_closes_total{code="3001"} 1.0',
        "picshare_live_connections 0.0",
        "picshare_live_messages_total 3.0",
        'picshare_live_recoveries_total{outcome="lost"} 1.0',
        "picshare_feed_insertions_total 7.0",
        'picshare_queue_depth{queue="media.dead"} 1.0',
        "picshare_outbox_age_seconds 2.5",
        'picshare_info{version="1.2"} 1.0',
    ):
        assert line in text


async def test_one_of_two_is_enough() -> None:
    """A process that works with either of two dependencies is ready with one of them, and not without both."""
    for second, status in ((succeed, 200), (fail, 503)):
        health = Health({}, degrading={"database": second, "redis": fail, "blobs": fail}, one_of=("database", "redis"))
        health.started = True
        client = await client_of(health)
        try:
            response = await client.get("/readyz")
            assert response.status == status
            body = await response.json()
            assert body.get("degraded", body.get("failing")) == (
                ["blobs", "redis"] if status == 200 else ["database", "redis"]
            )
        finally:
            await client.close()
