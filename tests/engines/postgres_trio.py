"""A primary and two standbys with the files of `deploy/postgres`: its settings, its roles and its scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.engines.postgres_pair import PostgresServer
from tests.engines.private import START_DEADLINE
from tests.support.eventually import eventually

SHIPPED = Path(__file__).parents[2] / "deploy" / "postgres"
# In place of the shipped ones, for a machine that runs many engines. Values on the command line win over files.
_SMALL = {"max_connections": "200", "full_page_writes": "on"}  # pg_rewind needs the pages


class PostgresTrio:
    """Three servers; a commit waits until one of two standbys has it. `primary` is the server that accepts writes."""

    def __init__(self, folder: Path) -> None:
        self.servers = [
            PostgresServer(folder / f"db{number}", {**_SMALL, "cluster_name": f"db_{number}"}) for number in (1, 2, 3)
        ]
        self.primary = self.servers[0]

    @property
    def standbys(self) -> list[PostgresServer]:
        """The other two."""
        return [server for server in self.servers if server is not self.primary]

    @property
    def url(self) -> str:
        """The URL with all servers."""
        return f"postgresql://picshare@{','.join(server.place for server in self.servers)}/picshare"

    async def start(self) -> None:
        """Create a primary, and two standbys by the shipped script."""
        await self.primary.create()
        # Without standbys a commit would wait for ever, so the settings come after the first ones.
        await self.primary.run(
            "psql", "-q", "-p", str(self.primary.port), "-h", "127.0.0.1", "-f", f"{SHIPPED}/roles.sql"
        )
        await self.primary.stop()
        configuration = self.primary.data / "postgresql.conf"
        shipped = (SHIPPED / "picshare.conf").read_text()
        configuration.write_text(f"{configuration.read_text()}\n{shipped}")
        rules = self.primary.data / "pg_hba.conf"
        rules.write_text(rules.read_text() + (SHIPPED / "pg_hba.conf").read_text())
        await self.primary.start()
        # Tests connect without TLS and by the rules before, so the shipped ones are only parsed.
        wrong = await self.primary.fetchval(
            "SELECT string_agg(error, '; ') FROM pg_hba_file_rules WHERE error NOT LIKE '%cannot match because SSL%'"
        )
        assert wrong is None, wrong
        for standby in self.standbys:
            await self.join(standby)

    async def join(self, standby: PostgresServer) -> None:
        """Make a stopped server a standby by the shipped script, and wait until it follows the primary."""
        hosts, ports = ",".join("127.0.0.1" for _ in self.servers), ",".join(str(each.port) for each in self.servers)
        await standby.run(str(SHIPPED / "standby"), str(standby.data), hosts, ports)
        await standby.start()
        await self.follows(standby)

    async def follows(self, standby: PostgresServer) -> None:
        """Wait until a standby receives what the primary writes."""
        name = f"db_{self.servers.index(standby) + 1}"
        query = "SELECT count(*) FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'"
        await eventually(lambda: self.primary.fetchval(query, name), within=START_DEADLINE)

    async def promote(self, standby: PostgresServer, *, force: bool = False) -> None:
        """Promote a standby by the shipped script; raise RuntimeError if it refuses."""
        others = [server.place for server in self.servers if server is not standby]
        options = ["--force"] if force else []
        await standby.run(str(SHIPPED / "promote"), *options, standby.place, *others)
        self.primary = standby

    async def most_advanced(self) -> PostgresServer:
        """Return the standby that has received most: the one to promote when the primary is lost."""
        query = "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::text"
        received = [int(str(await standby.fetchval(query))) for standby in self.standbys]
        return self.standbys[received.index(max(received))]

    async def rejoin(self, former: PostgresServer) -> None:
        """Make a former primary a standby of the present one."""
        await former.stop()
        await self.join(former)

    async def stop(self) -> None:
        """Stop all."""
        await asyncio.gather(*(server.stop() for server in self.servers))


@asynccontextmanager
async def postgres_trio(folder: Path) -> AsyncIterator[PostgresTrio]:
    """Run three servers until the end of the block."""
    trio = PostgresTrio(folder)
    try:
        await trio.start()
        yield trio
    finally:
        await trio.stop()
