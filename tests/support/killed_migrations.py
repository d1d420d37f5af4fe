"""Run migrations in a process that is killed at a given step.

    python -m tests.support.killed_migrations FOLDER

Each line of standard input, "<step> <dsn>", is one run in a process of its own, which kills itself with SIGKILL before
it sends its statement with the number `step`. The reply is "killed", or "done" if there were fewer statements.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg

from storage.postgres.migrate import migrate


def _run(step: int, dsn: str, folder: Path) -> None:
    numbers = itertools.count(1)
    execute = asyncpg.Connection.execute

    async def counted(self: Any, query: str, *args: Any, **options: Any) -> Any:
        if next(numbers) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return await execute(self, query, *args, **options)

    # The only method of the driver through which all statements of a migration pass.
    asyncpg.Connection.execute = counted  # type: ignore[method-assign]
    asyncio.run(migrate(dsn, folder=folder))


def main(folder: Path) -> None:
    """Serve the requests of standard input."""
    for line in sys.stdin:
        step, dsn = line.split()
        child = os.fork()  # so that the imports are paid for once
        if child == 0:
            _run(int(step), dsn, folder)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write("killed\n" if os.WIFSIGNALED(status) else "done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
