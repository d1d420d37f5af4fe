"""`picshare run` in a directory of its own, what it says, and how it refuses."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.engines.private import free_port
from tests.support.eventually import eventually
from tests.support.service import Service

PATIENCE = 20.0  # seconds


class Run:
    """`picshare run` in a directory of its own, started as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.services: list[Service] = []

    def service(self, *arguments: str, env: dict[str, str] | None = None) -> Service:
        """Return a process that is not started yet."""
        command = ["run", "--port", str(self.port), "--data", str(self.folder / "data"), *arguments]
        name = f"run{len(self.services)}"
        service = Service(command, folder=self.folder, name=name, port=self.port, env=env)
        self.services.append(service)
        return service

    async def close(self) -> None:
        """Stop what still runs."""
        for service in self.services:
            if service.process is not None and service.process.returncode is None:
                await service.stop()


@asynccontextmanager
async def place() -> AsyncIterator[Run]:
    """A place to run in, with a short path; everything there is stopped and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="psr-"))
    run = Run(folder)
    try:
        yield run
    finally:
        await run.close()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def says(service: Service, text: str) -> None:
    """Wait until a service has printed a text."""
    await eventually(lambda: text in service.log(), within=60)


async def refusal(service: Service) -> tuple[int, str]:
    """Start what cannot start; return its exit code and all that it said."""
    await service.start(wait=False)
    assert service.process is not None
    async with asyncio.timeout(PATIENCE):
        code = await service.process.wait()
    return code, service.log()
