"""Real `picshare` processes under test: start, wait, stop and kill, each by its own process id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import psutil

from tests.support.documents import ROOT
from tests.support.eventually import eventually

START_DEADLINE = 150.0  # seconds; a whole cluster may start on two cores that others use, too
STOP_DEADLINE = 60.0


class Service:
    """One `picshare` process with a log file; `url` is its address if it has a port.

    `wrapper` is a command that executes the one that follows it, with the same process id. `module` takes the same
    arguments as `picshare`. `source` is the directory of another version; with `program`, the command of an
    installation, no source is used.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        name: str,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        module: str = "server.cli",
        source: Path = ROOT,
        program: Path | None = None,
    ) -> None:
        interpreted = [sys.executable, "-m", module]
        self._command = [*wrapper, *(interpreted if program is None else [str(program)]), *command]
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PICSHARE_")},
            "PYTHONPATH": str(source) if program is None else "",
            # The smallest cost that is accepted: the tests create hundreds of accounts.
            "PICSHARE_AUTH__HASH_MEMORY": "19",
            "PICSHARE_AUTH__HASH_PASSES": "2",
            # All accounts of tests are new.
            **{f"PICSHARE_LIMITS__NEW_{name}": "1000000/m" for name in ("UPLOADS", "COMMENTS", "FOLLOWS")},
            **(env or {}),
        }
        self._folder = folder
        self.log_file = folder / f"{name}.log"
        self.name = name
        self._port = port
        self.url = f"http://127.0.0.1:{port}" if port else ""
        self.process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the current process."""
        assert self.process is not None
        return self.process.pid

    async def start(self, *, wait: bool = True) -> None:
        """Start the process and, if it has a port, wait until it is ready."""
        with self.log_file.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log, env=self._environment, cwd=self._folder
            )
        if wait and self.url:
            await self.ready()

    async def ready(self, within: float = START_DEADLINE) -> None:
        """Wait until `/readyz` misses no engine; fail with the end of the log if the process ends or is too slow."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:

            async def answers() -> bool:
                assert self.process is not None
                if self.process.returncode is not None:
                    raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-3000:]}")
                try:
                    async with session.get(f"{self.url}/readyz") as response:
                        body = await response.json()
                        assert response.status == 200, body
                        # Without the store of images, which the tests let be away at a start, it works in part.
                        assert set(body.get("degraded", [])) <= {"blobs"}, body
                except (aiohttp.ClientError, TimeoutError) as error:
                    raise AssertionError(f"{self.name}: {error}; log: {self.log()[-3000:]}") from error
                assert self._listens(), f"{self.name}: another process answers; log: {self.log()[-3000:]}"
                return True

            await eventually(answers, within=within)

    def _listens(self) -> bool:
        """Return whether it is this process that listens on the port."""
        connections = psutil.Process(self.pid).net_connections("tcp")
        return any(found.laddr.port == self._port for found in connections if found.status == "LISTEN")

    async def stop(self, *, within: float = STOP_DEADLINE) -> int:
        """Stop it gracefully with SIGTERM and return the exit code; kill it if it does not end in time."""
        return await self._end(signal.SIGTERM, within)

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        await self._end(signal.SIGKILL, STOP_DEADLINE)

    def log(self) -> str:
        """Return everything that it has logged."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    async def _end(self, how: signal.Signals, within: float) -> int:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            async with asyncio.timeout(within):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"{self.name} did not end within {within} s:\n{self.log()[-3000:]}") from None
