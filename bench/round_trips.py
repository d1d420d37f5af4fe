"""The number of database round trips of each use case, which is exact: the same in each run and on each machine."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.report import COUNT, Figure, figure
from bench.use_cases import UseCases
from server.config.settings import Settings
from server.operation.logs import set_up_logs
from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
from storage.postgres.migrate import migrate
from storage.redis.client import open_redis

GROUP = "database round trips"


async def measure(*, quick: bool) -> list[Figure]:
    """Return the number of statements of each use case."""
    set_up_logs(Settings().with_values("log", level="warning").log)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder))
        redis = open_redis(await stack.enter_async_context(embedded_valkey(folder)))
        stack.push_async_callback(redis.aclose)
        await migrate(dsn)
        use_cases = await stack.enter_async_context(UseCases.open(dsn, redis, folder))
        runs = [await use_cases.count() for _ in range(1 if quick else 3)]
    return [figure(GROUP, name, COUNT, [len(run[name]) for run in runs]) for name in runs[0]]
