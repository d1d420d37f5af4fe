"""Two regions on one machine, with a link between them that takes its time and can be cut.

The home region has a complete PicShare and the primary database. The far region has a standby of it and a process for
reads without Redis, until it takes over with a complete PicShare of its own. The images are in one directory: a bucket
that the object store replicates is not simulated.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from tests.engines.postgres_pair import PostgresServer
from tests.engines.private import free_port
from tests.support.service import Service
from tests.support.tcp_proxy import TcpProxy

DELAY = 0.04  # seconds in each direction


class Regions:
    """Both regions. `to_home` leads to the home region's API for clients near the far region."""

    def __init__(self, folder: Path, database_link: TcpProxy, home: PostgresServer, far: PostgresServer) -> None:
        self.home_database, self.far_database = home, far
        self._folder = folder
        self._database_link = database_link
        self._common = {
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_DATABASE__CARRIED_POSITIONS": "true",
        }
        self.home = self._complete("home", home.url)
        self.far_reads = self._process(
            "far-reads",
            ["serve", "--role", "api-read"],
            {
                "PICSHARE_DATABASE__URL": f"postgresql://picshare@127.0.0.1:{database_link.port},{far.place}/picshare",
                "PICSHARE_DATABASE__REPLICAS": far.url,
                "PICSHARE_REDIS__URL": "none:",
                "PICSHARE_BROKER__URL": f"amqp://127.0.0.1:{free_port()}/",
            },
        )
        self.far = self._complete("far", far.url)
        self.to_home: TcpProxy

    async def is_replicated(self) -> bool:
        """Return whether the far database has all that is committed at home, and is read from."""
        written = await self.home_database.fetchval("SELECT pg_current_wal_flush_lsn()::text")
        if not await self.far_database.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written):
            return False
        async with aiohttp.ClientSession() as http, http.get(f"{self.far_reads.url}/metrics") as response:
            return f'picshare_replica_used{{replica="{self.far_database.place}"}} 1.0' in await response.text()

    async def cut(self) -> None:
        """Cut the link: nothing gets through until `heal`."""
        await self._database_link.part()
        await self.to_home.part()

    def heal(self) -> None:
        """Let the regions reach each other again."""
        self._database_link.join()
        self.to_home.join()

    async def lose_home(self) -> None:
        """End the home region as a fire does."""
        await self.cut()
        await self.home.kill()
        await self.home_database.crash()

    async def take_over(self) -> None:
        """Make the far region the home of all users, by the steps of docs/multi-region.md."""
        await self.far_database.promote()
        await self.far_reads.stop()
        await self.far.start()

    async def stop(self) -> None:
        """Stop what still runs."""
        for service in (self.far_reads, self.far, self.home):
            if service.process is not None and service.process.returncode is None:
                await service.stop()
        await self.far_database.stop()
        await self.home_database.stop()

    def _complete(self, name: str, database: str) -> Service:
        command = ["run", "--no-demo", "--data", str(self._folder / name)]
        return self._process(name, command, {"PICSHARE_DATABASE__URL": database})

    def _process(self, name: str, command: list[str], env: Mapping[str, str]) -> Service:
        port = free_port()
        return Service(
            [*command, "--port", str(port)], folder=self._folder, name=name, port=port, env={**self._common, **env}
        )


@asynccontextmanager
async def two_regions(folder: Path) -> AsyncIterator[Regions]:
    """Run two regions until the end of the block."""
    async with AsyncExitStack() as stack:
        home, far = PostgresServer(folder / "home-db"), PostgresServer(folder / "far-db")
        stack.push_async_callback(home.stop)
        stack.push_async_callback(far.stop)
        await home.create()
        database_link = await stack.enter_async_context(TcpProxy.to(home.port, delay=DELAY))
        regions = Regions(folder, database_link, home, far)
        stack.push_async_callback(regions.stop)
        await regions.home.start()
        home_port = int(regions.home.url.rpartition(":")[2])
        regions.to_home = await stack.enter_async_context(TcpProxy.to(home_port, delay=DELAY))
        await far.copy(database_link.port)
        await regions.far_reads.start()
        yield regions
