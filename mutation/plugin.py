"""A plugin of pytest for trials: shared engines instead of private ones, and the most successful tests first."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import server

_ENGINES: dict[str, str] = json.loads(os.environ.get("MUTATION_ENGINES", "{}"))
_REDIS: list[str] = json.loads(os.environ.get("MUTATION_REDIS", "[]"))
_FIRST: list[str] = json.loads(os.environ.get("MUTATION_FIRST", "[]"))


def pytest_sessionstart() -> None:
    """Fail unless the modules come from the copied tree, and not from the installed one."""
    assert Path(server.__file__).is_relative_to(Path.cwd()), f"{server.__file__} is not in {Path.cwd()}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests on the chosen engines; run first those that noticed other mutants of the same part."""
    items[:] = [item for item in items if _redis_of(item) in {None, *_REDIS}]
    rank = {name: number for number, name in enumerate(_FIRST)}
    items.sort(key=lambda item: rank.get(item.nodeid, len(rank)))


def _redis_of(item: pytest.Item) -> object | None:
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("redis_engine")


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> object | None:
    """Return the address of a shared engine as the value of the fixture that would start one."""
    value = _ENGINES.get(fixturedef.argname)
    if value is not None:
        fixturedef.cached_result = (value, fixturedef.cache_key(request), None)  # type: ignore[arg-type]
    return value


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write the name of the first test that fails."""
    path = Path(os.environ["MUTATION_NOTICED"])
    if report.failed and not path.exists():
        path.write_text(report.nodeid)
