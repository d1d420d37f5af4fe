"""The mistakes that are made in Python, SQL and Lua, on one line of each kind."""

from __future__ import annotations

import pytest

from mutation.generators.lua import lua_edits
from mutation.generators.sql import sql_edits
from mutation.generators.statements import statement_edits
from mutation.mutant import mutants_of


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("close(it)", ["pass"]),
        ("await close(it)", ["pass"]),
        ("log.info('closed')", []),
        ("self.x = f(y)", ["pass"]),
        ("self.x = y", []),
        ("x = y", []),
        ("if late: wait()", ["if False: wait()", "if True: wait()", "if late: pass"]),
        ("x = a and b and c", ["x = b and c", "x = a and c", "x = a and b"]),
        ("x = a or b", ["x = b", "x = a"]),
        ("raise Late", ["pass"]),
        ("x = [y for y in z if y]", ["x = [y for y in z if True]"]),
        ("x = 0", ["x = 1"]),
        ("x = 1", ["x = 2", "x = 0"]),
        ("x = 30.0", ["x = 300.0"]),
        ("x: Final[Literal[1]] = y", []),
        ("with lock:\n    x = y", ["if True:\n    x = y"]),
        ("with open(f) as x:\n    y = x", []),
        ("try:\n    x = y\nexcept Late:\n    x = z", ["try:\n    x = y\nexcept ZeroDivisionError:\n    x = z"]),
        ("def f(x: Literal[1] = 1) -> Literal[2]: ...", []),
    ],
)
def test_mistakes_in_statements(source: str, mutants: list[str]) -> None:
    """Calls, checks, conditions, locks and handlers are forgotten, and numbers are wrong; annotations do not count."""
    assert [mutant.mutated for mutant in mutants_of("x.py", source, statement_edits(source))] == mutants


@pytest.mark.parametrize(
    ("sql", "mutants"),
    [
        ("SELECT 1 FROM t WHERE a = $1", ["SELECT 1 FROM t WHERE true"]),
        (
            "SELECT 1 FROM t WHERE a = $1 AND b = $2",
            [
                "SELECT 1 FROM t WHERE a = $1 ",
                "SELECT 1 FROM t WHERE b = $2",
                "SELECT 1 FROM t WHERE true AND b = $2",
            ],
        ),
        ("AND f(a, (b)) LIMIT 1", [" LIMIT 1"]),
        ("SELECT 1 FOR NO KEY UPDATE", ["SELECT 1 "]),
        ("SELECT 1 FOR UPDATE SKIP LOCKED", ["SELECT 1 ", "SELECT 1 FOR UPDATE"]),
        ("UPDATE t SET n = n + 1", ["UPDATE t SET n = n - 1"]),
        ("ORDER BY id DESC", ["", "ORDER BY id ASC"]),
        ("just a sentence < with > signs", []),
    ],
)
def test_mistakes_in_sql(sql: str, mutants: list[str]) -> None:
    """Conditions and locks are forgotten, and comparisons, arithmetic and order are wrong."""
    found = mutants_of("x.py", f'x = "{sql}"', sql_edits(f'x = "{sql}"'))
    assert [mutant.mutated for mutant in found] == [f'x = "{mutant}"' for mutant in mutants]


def test_a_docstring_is_no_sql() -> None:
    """A docstring that mentions SQL is not changed."""
    source = 'def f():\n    """UPDATE waits."""\n'
    assert list(sql_edits(source)) == []


def test_ids_are_compared_but_times_are_never_equal() -> None:
    """A comparison of times is not moved: whether equal ones count makes no difference."""
    source = 'x = "SELECT 1 WHERE id < $1 AND created_at < $2"'
    assert [edit.start for edit in sql_edits(source) if edit.kind == "SQL comparison moved"] == [source.index("<")]


@pytest.mark.parametrize(
    ("line", "mutants"),
    [
        ("redis.call('DEL', key)", [""]),
        ("x = y -- why", [""]),
        ("redis.call('SET', key, x, 'KEEPTTL')", ["", "redis.call('SET', key, x)"]),
        ("local x = y", []),
        ("if x then return y end", ["", "if false then return y end", "if true then return y end", "if x then  end"]),
        ("local x = a or b", ["local x = a and b"]),
        ("local x = a <= b", ["local x = a < b"]),
        ("local x = a + b", ["local x = a - b"]),
        ("local x = f(1)", ["local x = f(2)", "local x = f(0)"]),
        ("local x = math.min(a, b)", ["local x = math.max(a, b)"]),
        ("local x = ' 1 or 2 '", []),
        ("-- 1 or 2", []),
    ],
)
def test_mistakes_in_lua(line: str, mutants: list[str]) -> None:
    """Lines are forgotten, checks and operators wrong; strings and comments do not count."""
    assert [mutant.mutated for mutant in mutants_of("x.lua", line, lua_edits(line))] == mutants
