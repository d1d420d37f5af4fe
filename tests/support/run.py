"""Run `picshare` commands in a temporary directory and read their output."""

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

TIMEOUT = 60.0  # seconds


class Run:
    """`picshare run` in a directory of its own, which a test may start several times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.services: list[Service] = []

    def service(self, *arguments: str, env: dict[str, str] | None = None, program: Path | None = None) -> Service:
        """Return a process that is not started yet, of the source or of the installed `program`."""
        command = ["run", "--port", str(self.port), "--data", str(self.folder / "data"), *arguments]
        name = f"run{len(self.services)}"
        service = Service(command, folder=self.folder, name=name, port=self.port, env=env, program=program)
        self.services.append(service)
        return service

    async def close(self) -> None:
        """Stop the processes that still run."""
        for service in self.services:
            if service.process is not None and service.process.returncode is None:
                await service.stop()


@asynccontextmanager
async def temporary_run() -> AsyncIterator[Run]:
    """Create a run in a directory with a short path; stop its processes and remove it at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="psr-"))
    run = Run(folder)
    try:
        yield run
    finally:
        await run.close()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def wait_for_output(service: Service, text: str) -> None:
    """Wait until a service has printed a text."""
    await eventually(lambda: text in service.log(), within=60)


async def run_to_end(service: Service, *, within: float = TIMEOUT) -> tuple[int, str]:
    """Start a process that ends by itself within some seconds; return its exit code and its output."""
    await service.start(wait=False)
    assert service.process is not None
    async with asyncio.timeout(within):
        code = await service.process.wait()
    return code, service.log()
