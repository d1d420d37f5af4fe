"""Health routes of an application: liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog
from aiohttp import web

from server.operation.metrics import CONTENT_TYPE, Metrics

CHECK_DEADLINE = 3.0  # seconds for the check of one dependency
log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[object]]


class Health:
    """Readiness of this process: its state and the checks of its dependencies.

    A check returns if the dependency works, and raises any exception if not.
    """

    def __init__(self, checks: Mapping[str, Check], *, deadline: float = CHECK_DEADLINE) -> None:
        self._checks = dict(checks)
        self._deadline = deadline
        self.started = False
        self.draining = False

    async def failures(self) -> dict[str, str]:
        """Run all checks concurrently, and return the reason of each failure by the name of the check."""
        names = list(self._checks)
        outcomes = await asyncio.gather(*(self._check(name) for name in names))
        return {name: reason for name, reason in zip(names, outcomes, strict=True) if reason is not None}

    async def _check(self, name: str) -> str | None:
        try:
            async with asyncio.timeout(self._deadline):
                await self._checks[name]()
        except TimeoutError:
            return f"no response within {self._deadline:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever a check raises, its dependency is not ready
            log.warning("not_ready", dependency=name, error=f"{type(error).__name__}: {error}")
            return "not available"
        return None


def add_health_routes(app: web.Application, health: Health, metrics: Metrics) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`.

    `/readyz` has status 503 while the process starts or drains, and if a check fails, with the names of the failed
    checks. Their reasons are only logged, because they may contain internal addresses.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return _json(200, {"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        if health.draining or not health.started:
            return _json(503, {"status": "draining" if health.draining else "starting"})
        failures = await health.failures()
        return _json(503, {"status": "not ready", "failing": sorted(failures)}) if failures else _json(200, _READY)

    async def exposition(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposition)


_READY = {"status": "ready"}


def _json(status: int, body: Mapping[str, object]) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
