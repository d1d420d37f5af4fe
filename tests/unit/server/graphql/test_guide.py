"""The guide `docs/graphql.md` is complete: its limits are those of the code, and its codes are those of refusals."""

from __future__ import annotations

import re
from dataclasses import asdict

from server.graphql.structure import Limits
from tests.support.documents import ROOT, codes_in, table_rows

_REFUSAL = re.compile(r"RequestRefusedError\(\s*\"(\w+)\"")


def test_the_limits() -> None:
    """The table has each limit with its default."""
    rows = table_rows("docs/graphql.md", "Limits")
    assert {codes_in(row[0])[0]: int(row[1]) for row in rows} == asdict(Limits())


def test_the_codes_of_refusals() -> None:
    """The table has each code of a request that is not executed, and no other."""
    sources = [path.read_text() for path in (ROOT / "server" / "graphql").rglob("*.py")]
    listed = {codes_in(row[0])[0] for row in table_rows("docs/graphql.md", "Errors")}
    assert listed == {code for source in sources for code in _REFUSAL.findall(source)}
