"""A private mtail, Debian's package, with the shipped program of `deploy/mtail`, on a loopback port."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from storage.embedded.supervisor import log_tail, start, stop
from tests.engines.private import START_DEADLINE, free_port
from tests.support.eventually import eventually

SHIPPED = Path(__file__).parents[2] / "deploy" / "mtail"


@asynccontextmanager
async def running_mtail(log: Path, folder: Path) -> AsyncIterator[str]:
    """Read the lines that are added to `log` during the block; yield the URL of the metrics."""
    binary = shutil.which("mtail")
    if binary is None:
        raise RuntimeError("mtail is missing: run `make test`, which installs it")
    port, errors = free_port(), folder / "mtail.log"
    command = [binary, "--progs", str(SHIPPED), "--logs", str(log), "--address", "127.0.0.1", "--port", str(port)]
    process = await start(
        [*command, "--emit_prog_label=false", "--logtostderr"], name="mtail", log_file=errors, unprivileged=False
    )

    async def is_reading() -> bool:
        if process.returncode is not None:
            raise RuntimeError(f"mtail did not start: {log_tail(errors)}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return "Tailing" in errors.read_text()

    try:
        await eventually(is_reading, within=START_DEADLINE)
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        await stop(process, signal.SIGTERM)
