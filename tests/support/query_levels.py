"""Query levels of a statement, and which distribution column of which table is compared with what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import ast
from pglast.enums import JoinType, SubLinkType

from tests.support.distribution import DISTRIBUTED, LOCAL
from tests.support.sql_nodes import column_path, conjuncts, equality, has_column, one_of, own, text, walk


@dataclass(eq=False, kw_only=True, slots=True)
class Ref:
    """A distributed table in a query level, under a name; `same` leads to one that has the same shard."""

    name: str
    table: str
    column: str
    group: str
    same: Ref | None = None
    keys: set[str] = field(default_factory=set)  # of `column = expression of parameters`
    lists: set[str] = field(default_factory=set)  # of `column = ANY(list)`
    outside: set[Ref] = field(default_factory=set)  # tables of levels outside with an equal column

    def root(self) -> Ref:
        """Return the table that represents all of this level with the same shard."""
        return self if self.same is None else self.same.root()

    def join(self, other: Ref) -> None:
        """Note that both have the same shard."""
        one, two = self.root(), other.root()
        if one is not two:
            two.same = one
            one.keys |= two.keys
            one.lists |= two.lists
            one.outside |= two.outside


class _Level:
    """A SELECT, UPDATE or DELETE without its subqueries; `parent` is the level that its columns may also come from."""

    def __init__(self, parent: _Level | None) -> None:
        self.parent = parent
        self.refs: dict[str, Ref] = {}
        self.others: set[str] = set()  # subqueries, functions and CTEs
        self.correlated: set[Ref] = set()  # tables of levels outside that it reads
        self.recurring_outer_side = False
        self.collects_all = False  # an EXISTS without LIMIT, whose rows a cluster gathers if it is a query of its own

    def roots(self) -> set[Ref]:
        """Return one table for each shard that the level names."""
        return {ref.root() for ref in self.refs.values()}

    def table_of(self, column: ast.ColumnRef) -> Ref | None:
        """Return the distributed table that a column is of, if it can be known without the columns of the tables."""
        path = column_path(column)
        if len(path) > 1:
            if path[-2] in self.refs or path[-2] in self.others:
                return self.refs.get(path[-2])
            return None if self.parent is None else self.parent.table_of(column)
        named = [ref for ref in self.refs.values() if ref.column == path[0]]
        if named or self.others or self.parent is None:
            return named[0] if len(named) == 1 else None
        return self.parent.table_of(column)

    def shard_of(self, node: Any) -> Ref | None:
        """Return the table whose distribution column an expression is."""
        if not isinstance(node, ast.ColumnRef):
            return None
        ref = self.table_of(node)
        return ref if ref is not None and column_path(node)[-1] == ref.column else None


class Part:
    """What a cluster carries out as one: a statement without its CTEs, or one of them."""

    def __init__(self, ctes: frozenset[str]) -> None:
        self._ctes = ctes
        self._levels: list[_Level] = []
        self._unknown: list[str] = []

    @property
    def refs(self) -> list[Ref]:
        """The distributed tables of all levels."""
        return [ref for level in self._levels for ref in level.refs.values()]

    def add(self, query: Any, parent: _Level | None = None) -> None:
        """Add a query and its subqueries."""
        if isinstance(query, ast.SelectStmt) and query.larg is not None:
            for side in (query.larg, query.rarg):
                self.add(side, parent)
            return
        level = _Level(parent)
        self._levels.append(level)
        conditions = [query.whereClause]
        if isinstance(query, ast.SelectStmt):
            sources = list(query.fromClause or ())
            if query.withClause is not None and parent is not None:
                self._ctes |= {cte.ctename for cte in query.withClause.ctes}
                for cte in query.withClause.ctes:
                    self.add(cte.ctequery)
        else:
            self._add_table(query.relation, level, is_target=True)
            sources = list((query.fromClause if isinstance(query, ast.UpdateStmt) else query.usingClause) or ())
        for source in sources:
            conditions += self._add_source(source, level)
        for condition in conditions:
            for each in conjuncts(condition):
                _compare(each, level)
        self._add_subqueries(query, level)
        level.correlated |= set(_read_outside(query, level))

    def add_expressions(self, node: Any) -> None:
        """Add the subqueries of expressions."""
        self._add_subqueries(node, _Level(None))

    def _add_subqueries(self, node: Any, level: _Level) -> None:
        for each in own(node):
            if isinstance(each, ast.SubLink):
                first = len(self._levels)
                self.add(each.subselect, level)
                if each.subLinkType == SubLinkType.EXISTS_SUBLINK and each.subselect.limitCount is None:
                    self._levels[first].collects_all = True

    def _add_source(self, source: Any, level: _Level) -> list[Any]:
        """Add an item of FROM to its level; return the conditions of its joins."""
        match source:
            case ast.RangeVar():
                self._add_table(source, level)
            case ast.RangeSubselect():
                level.others.add(source.alias.aliasname)
                self.add(source.subquery, level if source.lateral else None)
            case ast.JoinExpr():
                left = len(level.refs)
                conditions = self._add_source(source.larg, level)
                if source.jointype != JoinType.JOIN_INNER and len(level.refs) == left:
                    level.recurring_outer_side = True
                return [*conditions, *self._add_source(source.rarg, level), source.quals]
            case _:
                if source.alias is not None:
                    level.others.add(source.alias.aliasname)
        return []

    def _add_table(self, table: ast.RangeVar, level: _Level, *, is_target: bool = False) -> None:
        name = table.relname if table.alias is None else table.alias.aliasname
        distribution = DISTRIBUTED.get(table.relname)
        is_cte = table.relname in self._ctes and not is_target
        if distribution is None or is_cte:
            level.others.add(name)
            if not (is_cte or table.relname in LOCAL or table.relname.startswith("pg_")):
                self._unknown.append(table.relname)
        else:
            level.refs[name] = Ref(name=name, table=table.relname, column=distribution.column, group=distribution.group)

    def is_one_shard(self) -> bool:
        """Return whether every table is compared with one and the same expression of parameters."""
        keys = {frozenset(root.keys) for root in self._roots()}
        return len(keys) == 1 and all(keys)

    def _roots(self) -> list[Ref]:
        return [root for level in self._levels for root in level.roots()]

    def faults(self, *, scattered: bool) -> Iterator[str]:
        """Yield a sentence for each table that is not bound or, with `scattered`, joined across shards."""
        for table in self._unknown:
            yield f"the table {table} is not known to the rules"
        if len({ref.group for ref in self.refs}) > 1:
            yield f"tables that are distributed differently: {', '.join(sorted({ref.table for ref in self.refs}))}"
        if scattered:
            yield from self._faults_of_joins()
            return
        keys = {key for root in self._roots() for key in root.keys}
        if len(keys) > 1:
            yield f"several shards at once: {'; '.join(sorted(keys))}"
        for level in self._levels:
            for root in level.roots():
                yield from _faults_of_binding(root)
        if not keys:
            yield from self._faults_of_joins()
        elif any(root.lists and not root.keys for root in self._roots()):
            yield "one shard and a list of shards in one statement"

    def _faults_of_joins(self) -> Iterator[str]:
        """Check that a query of several shards joins only rows of the same shard."""
        for level in self._levels:
            names = ", ".join(sorted(level.refs))
            if len(level.roots()) > 1:
                yield f"{names} are not joined by their shards"
            if level.recurring_outer_side and level.refs:
                yield f"{names}: an outer join of what is in no shard with what is in several"
            if level.collects_all and level.refs and not level.correlated:
                yield f"{names}: EXISTS of several shards needs LIMIT 1, or all rows are gathered"
            for root in level.roots():
                if level.correlated and not root.outside:
                    yield f"{root.name}: a subquery that reads columns from outside does not compare the shards"


def _compare(condition: Any, level: _Level) -> None:
    """Note what a condition compares a distribution column with."""
    if (listed := one_of(condition)) is not None:
        ref = level.shard_of(listed[0])
        if ref is not None and ref in level.refs.values() and not _depends(listed[1]):
            ref.root().lists.add(text(listed[1]))
    if (sides := equality(condition)) is None:
        return
    for one, two in (sides, sides[::-1]):
        ref, other = level.shard_of(one), level.shard_of(two)
        if ref is None or ref not in level.refs.values():
            continue
        if other is None:
            if not _depends(two):
                ref.root().keys.add(text(two))
        elif ref.group == other.group:
            if other in level.refs.values():
                ref.join(other)
            else:
                ref.root().outside.add(other)


def _depends(node: Any) -> bool:
    """Return whether an expression has another value than that of its parameters."""
    return has_column(node) or any(isinstance(each, ast.SubLink) for each in walk(node))


def _read_outside(query: Any, level: _Level) -> Iterator[Ref]:
    """Yield the distributed tables of levels outside whose columns the query reads."""
    for node in own(query):
        if isinstance(node, ast.ColumnRef) and len(column_path(node)) > 1:
            ref = level.table_of(node)
            if ref is not None and ref not in level.refs.values():
                yield ref


def _is_bound(root: Ref) -> bool:
    return bool(root.keys or root.lists or any(_is_bound(other.root()) for other in root.outside))


def _faults_of_binding(root: Ref) -> Iterator[str]:
    if root.keys or root.lists:
        return
    outside = [other.root() for other in root.outside]
    if not outside or not any(_is_bound(other) for other in outside):
        yield f"{root.table}: its {root.column} is not named"
    elif any(other.keys for other in outside):
        yield f"{root.table}: its {root.column} is named by a column, not again by the parameter"
