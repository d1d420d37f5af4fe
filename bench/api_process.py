"""One real `picshare serve --role api` with its engines, for benchmarks of that process alone."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from storage.embedded.postgres import embedded_postgres
from tests.engines.private import free_port, redis_server
from tests.support.service import Service


@asynccontextmanager
async def api_process() -> AsyncIterator[Service]:
    """Yield the running process; its images are in a directory, and no worker handles its events."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        port = free_port()
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
        api = Service(["serve", "--role", "api", "--port", str(port)], folder=folder, name="api", port=port, env=env)
        await api.start()
        stack.push_async_callback(api.stop)
        yield api
