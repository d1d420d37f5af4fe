"""Health routes of an application: liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import orjson
import structlog
from aiohttp import web

from server.operation.metrics import CONTENT_TYPE, Metrics
from server.operation.process_link import LinkError, ParentLink

CHECK_DEADLINE = 3.0  # seconds for the check of one dependency
# Seconds for one that the process can do without: load balancers wait for the response about a second, and take the
# process out of service otherwise.
DEGRADING_DEADLINE = 0.5
log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[object]]


class Health:
    """Readiness of this process: its state and the checks of its dependencies.

    A check returns if the dependency works, and raises any exception if not. Without a dependency of `degrading`, a
    process works in part: it is ready all the same, because every other process would lack the dependency as well.
    Without all those of `one_of`, which are among them, it is not.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        degrading: Mapping[str, Check] | None = None,
        one_of: Collection[str] = (),
        deadline: float = CHECK_DEADLINE,
    ) -> None:
        self._checks = dict(checks)
        self._degrading = dict(degrading or {})
        self._one_of = set(one_of)
        self._deadline = deadline
        self.started = False
        self.draining = False

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Return the names of all checks."""
        return (*self._checks, *self._degrading)

    async def failures(self) -> dict[str, str]:
        """Run all checks concurrently, and return the reason of each failure by the name of the check."""
        return await self._failures(self._checks, self._deadline)

    async def degradations(self) -> dict[str, str]:
        """Run the checks of dependencies without which the process works in part, and return failures as above."""
        return await self._failures(self._degrading, min(self._deadline, DEGRADING_DEADLINE))

    async def missing(self) -> tuple[list[str], list[str]]:
        """Return the failed dependencies: those without which the process is not ready, and the others."""
        failures, degradations = await asyncio.gather(self.failures(), self.degradations())
        if self._one_of and self._one_of <= degradations.keys():
            return sorted({*failures, *self._one_of}), sorted(degradations.keys() - self._one_of)
        return sorted(failures), sorted(degradations)

    async def _failures(self, checks: Mapping[str, Check], deadline: float) -> dict[str, str]:
        outcomes = await asyncio.gather(*(self._check(name, check, deadline) for name, check in checks.items()))
        return {name: reason for name, reason in zip(checks, outcomes, strict=True) if reason is not None}

    async def _check(self, name: str, check: Check, deadline: float) -> str | None:
        try:
            async with asyncio.timeout(deadline):
                await check()
        except TimeoutError:
            return f"no response within {deadline:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a check raises, its dependency is not ready
            log.warning("not_ready", dependency=name, error=f"{type(error).__name__}: {error}")
            return "not available"
        return None


def add_health_routes(app: web.Application, health: Health, metrics: Metrics, parent: ParentLink | None = None) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`.

    `/readyz` has status 503 while the process starts or drains, and if a check fails, with the names of the failed
    checks. Their reasons are only logged, because they may contain internal addresses. With status 200 it names the
    dependencies under `degraded` that do not work, if there are any. With a `parent`, `/metrics` has the metrics of all
    its processes, whichever is asked, because a scraper cannot choose one behind a common port.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return _json(200, {"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        if health.draining or not health.started:
            return _json(503, {"status": "draining" if health.draining else "starting"})
        failing, degraded = await health.missing()
        if failing:
            return _json(503, {"status": "not ready", "failing": failing})
        return _json(200, {"status": "ready", **({"degraded": degraded} if degraded else {})})

    async def exposition(_request: web.Request) -> web.Response:
        try:
            body = metrics.render() if parent is None else await parent.metrics()
        except LinkError as error:
            log.warning("metrics_incomplete", error=str(error))
            return _json(503, {"status": "the parent process does not answer"})
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposition)


def _json(status: int, body: Mapping[str, object]) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
