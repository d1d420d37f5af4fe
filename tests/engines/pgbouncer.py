"""A private pgbouncer in transaction mode, with the shipped configuration and fewer sessions of the server."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from storage.embedded.supervisor import log_tail, start, stop
from tests.engines.private import START_DEADLINE, free_port
from tests.support.eventually import eventually

SHIPPED = Path(__file__).parents[2] / "deploy" / "postgres" / "pgbouncer.ini"
_SESSIONS = 4  # of the server, for each database; fewer than connections, so that they are shared


class Pgbouncer:
    """Debian's pgbouncer before a server with a unix socket."""

    def __init__(self, folder: Path, server_url: str) -> None:
        self._folder = folder
        self._sockets = parse_qs(urlsplit(server_url).query)["host"][0]
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    def url(self, server_url: str) -> str:
        """Return the URL of a database of the server, through the pooler."""
        return f"postgresql://picshare@127.0.0.1:{self._port}{urlsplit(server_url).path}"

    async def start(self) -> None:
        """Start it and wait until it accepts connections; raise RuntimeError if it does not."""
        binary = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/bin:/opt/homebrew/bin") or shutil.which(
            "pgbouncer"
        )
        if binary is None:
            raise RuntimeError("pgbouncer is missing: run `make test`, which installs it")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "users").write_text('"picshare" ""\n')
        config, log_file = self._folder / "pgbouncer.ini", self._folder / "pgbouncer.log"
        text = SHIPPED.read_text()
        replaced = {
            "picshare = host=127.0.0.1 port=5432": f"* = host={self._sockets}",
            "listen_addr = *": "listen_addr = 127.0.0.1",
            "listen_port = 6432": f"listen_port = {self._port}",
            "auth_type = scram-sha-256": "auth_type = trust",
            "/etc/pgbouncer/userlist.txt": str(self._folder / "users"),
            "default_pool_size = 40": f"default_pool_size = {_SESSIONS}",
        }
        for shipped, here in replaced.items():
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, here)
        config.write_text(text)
        # Like PostgreSQL, it refuses to run as root.
        self._process = await start([binary, str(config)], name="pgbouncer", log_file=log_file, unprivileged=True)

        async def accepts_connections() -> bool:
            assert self._process is not None
            if self._process.returncode is not None:
                raise RuntimeError(f"pgbouncer did not start: {log_tail(log_file)}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(accepts_connections, within=START_DEADLINE)

    async def stop(self) -> None:
        """Stop it if it runs."""
        if self._process is not None:
            await stop(self._process, signal.SIGTERM)


@asynccontextmanager
async def pgbouncer(folder: Path, server_url: str) -> AsyncIterator[Pgbouncer]:
    """Run a pgbouncer before a server until the end of the block."""
    pooler = Pgbouncer(folder, server_url)
    try:
        await pooler.start()
        yield pooler
    finally:
        await pooler.stop()
