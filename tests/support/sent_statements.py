"""Pytest plugin: check each statement that the product sends to PostgreSQL in the process of the tests.

A statement is the product's if the function that calls the database is; the adapters between them do not count. Each
distinct text is checked once, and the test that sends a faulty one fails. The summary of a run counts them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import asyncpg
import pglast
import pytest

from tests.support.distribution import DISTRIBUTED
from tests.support.documents import ROOT
from tests.support.shard_rules import faults, mark
from tests.support.source_marks import LIST, committed_reasons
from tests.support.source_statements import PACKAGES

_METHODS = ("execute", "fetch", "fetchrow", "fetchval", "executemany", "prepare", "cursor")
_PRODUCT = tuple(f"{ROOT}/{package}/" for package in PACKAGES)
_OWN = (*_PRODUCT, *(f"{ROOT}/{package}/" for package in ("tests", "bench", "loadtest", "mutation")))
# What passes on the statements of others.
_ADAPTERS = {
    f"{ROOT}/storage/postgres/{name}.py"
    for name in ("connector", "database", "driver_errors", "pool", "reads", "replica")
}
_MIGRATIONS = f"{ROOT}/storage/postgres/migrate.py"  # has rules of its own
_KEY = "sent_statements"


class SentStatements:
    """The distinct statements of the product, and the faults that no test has reported yet."""

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self.reasons = committed_reasons()
        self._faulty: list[str] = []

    def see(self, sql: str) -> None:
        """Check a text that the product sends, unless it was seen before."""
        if sql in self.texts:
            return
        # `sys._getframe(1)` is the driver's method.
        if not _is_product(sys._getframe(2)):
            return
        self.texts.add(sql)
        found = faults(sql)
        if (marked := mark(sql)) is not None and marked not in self.reasons:
            found.append(f"{LIST} does not list `{marked[0]}: {marked[1]}`")
        self._faulty += [f"{fault}\n    in {' '.join(sql.split())}" for fault in found]

    def take_faults(self) -> list[str]:
        """Return the faults since the last call."""
        taken, self._faulty = self._faulty, []
        return taken


def _is_product(frame: FrameType | None) -> bool:
    """Return whether the function that passed on a statement first, seen from the driver, is the product's."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_OWN) and path not in _ADAPTERS:
            return path.startswith(_PRODUCT) and path != _MIGRATIONS
        frame = frame.f_back
    return False


def watched(method: Callable[..., Any], sent: SentStatements) -> Callable[..., Any]:
    """Return a method of the driver that shows its statement to `sent` first."""

    @functools.wraps(method)
    def call(self: Any, query: str, *args: Any, **options: Any) -> Any:
        sent.see(query)
        return method(self, query, *args, **options)

    return call


def pytest_configure(config: pytest.Config) -> None:
    """Watch the driver's methods, through which every connection sends its statements."""
    sent = SentStatements()
    config.stash[_SENT] = sent
    for name in _METHODS:
        setattr(asyncpg.Connection, name, watched(getattr(asyncpg.Connection, name), sent))


_SENT = pytest.StashKey[SentStatements]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail the test that sent a faulty statement, itself or in a fixture."""
    yield
    found = item.config.stash[_SENT].take_faults()
    if found:
        pytest.fail("statements that a cluster refuses, or sends to all servers:\n" + "\n".join(found), pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the statements of a worker process of a run over to the process that started it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = sorted(session.config.stash[_SENT].texts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the statements of a worker process."""
    node.config.stash[_SENT].texts |= set(getattr(node, "workeroutput", {}).get(_KEY, ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Count the distinct statements, in which texts that differ in white space or constants are one."""
    marks = {pglast.fingerprint(sql): mark(sql) for sql in config.stash[_SENT].texts if _is_about_tables(sql)}
    if marks:
        scattered = sum(each is not None and each[0] == "all shards" for each in marks.values())
        terminalreporter.write_line(f"{len(marks)} distinct statements of the product, {scattered} of all shards")


def _is_about_tables(sql: str) -> bool:
    return any(table in sql for table in DISTRIBUTED)
