"""One real `picshare serve --role api` with its engines, for benchmarks of that process alone."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from storage.embedded.postgres import embedded_postgres
from tests.engines.private import free_port, redis_server
from tests.support.service import Service


@asynccontextmanager
async def api_process() -> AsyncIterator[Service]:
    """Yield the running process; its images are in a directory, and no worker handles its events."""
    async with api_engines() as (folder, env), serving(folder, env) as api:
        yield api


@asynccontextmanager
async def api_engines() -> AsyncIterator[tuple[Path, dict[str, str]]]:
    """Yield a directory and the environment of processes on private engines, with the schema applied."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        env = {
            "PICSHARE_DATABASE__URL": await stack.enter_async_context(embedded_postgres(folder)),
            "PICSHARE_REDIS__URL": stack.enter_context(redis_server(folder / "redis")),
            "PICSHARE_BROKER__URL": "amqp://127.0.0.1/unused",
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
            "PICSHARE_LOG__LEVEL": "warning",
        }
        schema = Service(["migrate"], folder=folder, name="migrate", env=env)
        await schema.start(wait=False)
        assert schema.process is not None
        assert await schema.process.wait() == 0, schema.log()
        yield folder, env


@asynccontextmanager
async def serving(
    folder: Path, env: Mapping[str, str], *options: str, ready: bool = True, wrapper: Sequence[str] = ()
) -> AsyncIterator[Service]:
    """Yield a running `picshare serve --role api`, with further options; it is waited for if it has to be `ready`.

    `wrapper` is a command that executes it.
    """
    port = free_port()
    command = ["serve", "--role", "api", "--port", str(port), *options]
    api = Service(command, folder=folder, name=f"api{port}", port=port, env=env, wrapper=wrapper)
    await api.start(wait=ready)
    try:
        yield api
    finally:
        await api.stop()
