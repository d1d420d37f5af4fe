"""The outbox has one owner."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
STATEMENT = re.compile(r"\b(FROM|INTO|UPDATE|JOIN|TABLE)\s+(outbox|dead_letters)\b")


def test_one_module_has_the_sql_of_the_outbox() -> None:
    """No module but `storage.postgres.outbox` has a statement about `outbox` or `dead_letters`."""
    modules = [path for top in ("storage", "channels", "workers", "server") for path in (ROOT / top).rglob("*.py")]
    owners = [str(path.relative_to(ROOT)) for path in modules if STATEMENT.search(path.read_text())]
    assert owners == ["storage/postgres/outbox.py"]
