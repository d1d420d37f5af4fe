"""Rules for migrations, which run while processes of the version before read and write all tables.

A statement must neither hold a strong lock for longer than a moment, nor change the schema so that the version before
fails. What the rules do not know is a fault, too, so that it is thought about.

A file that states `-- offline: <reason>` is for a moment at which no process of the version before runs. Its locks and
changes harm none; it must still be a transaction, so that an interruption leaves nothing half done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import AlterTableType as Alter
from pglast.enums import ConstrType as Kind
from pglast.enums import NullTestType, ObjectType

from storage.postgres.migrate import Migration

_CONTRACT = re.compile(r"^-- contract: \S", re.MULTILINE)
_OFFLINE = re.compile(r"-- offline: \S")  # at the beginning of the file
_SERIAL = {"serial", "bigserial", "smallserial"}
_WITHOUT_SCAN = {Alter.AT_ColumnDefault, Alter.AT_DropNotNull, Alter.AT_DropConstraint, Alter.AT_SetStatistics}
_IN_BATCHES = "change rows in batches, by a DO block with COMMIT in a no-transaction file"


def faults(migration: Migration, earlier: Sequence[Migration] = ()) -> list[str]:
    """Return a sentence for each violation; `earlier` are the migrations before, in order."""
    if is_offline(migration):
        return list(_offline(migration))
    return list(_File(migration, earlier).faults())


def is_offline(migration: Migration) -> bool:
    """Return whether the processes of the version before are stopped before this migration, as its first line says."""
    return _OFFLINE.match(migration.sql) is not None


def _offline(migration: Migration) -> Iterator[str]:
    for raw in parse_sql(migration.sql):
        match raw.stmt:
            case ast.IndexStmt() | ast.DropStmt() if raw.stmt.concurrent:
                yield "an index is built or dropped CONCURRENTLY in a no-transaction file"
            case ast.DoStmt():
                yield "a DO block may commit half of the file: put it into a file of its own"
            case ast.AlterTableStmt():
                if any(command.subtype == Alter.AT_ValidateConstraint for command in raw.stmt.cmds):
                    yield "VALIDATE CONSTRAINT needs no stop: put it into a file of its own"
            case _:
                pass


class _File:
    def __init__(self, migration: Migration, earlier: Sequence[Migration]) -> None:
        self._migration = migration
        self._statements = [raw.stmt for raw in parse_sql(migration.sql)]
        self._new = {name for statement in self._statements for name in _created(statement)}
        self._never_null = _columns_that_are_never_null(earlier)
        self._drops_are_allowed = _CONTRACT.search(migration.sql) is not None

    def faults(self) -> Iterator[str]:
        """Yield a sentence for each violation."""
        for before, statement in zip([None, *self._statements], self._statements, strict=False):
            if self._migration.in_transaction:
                yield from self._in_transaction(statement)
            else:
                yield from _outside(statement, before)
        commands = [kind for statement in self._statements for kind in self._changes_of_existing_tables(statement)]
        if Alter.AT_ValidateConstraint in commands and set(commands) != {Alter.AT_ValidateConstraint}:
            yield "VALIDATE CONSTRAINT reads the whole table: put it into a file of its own"

    def _changes_of_existing_tables(self, statement: Any) -> list[int]:
        if not isinstance(statement, ast.AlterTableStmt) or statement.relation.relname in self._new:
            return []
        return [command.subtype for command in statement.cmds]

    def _in_transaction(self, statement: Any) -> Iterator[str]:
        match statement:
            case ast.IndexStmt() if statement.concurrent:
                yield "CREATE INDEX CONCURRENTLY needs a no-transaction file"
            case ast.IndexStmt() if statement.relation.relname not in self._new:
                yield "CREATE INDEX blocks writers of an existing table: build it CONCURRENTLY"
            case ast.DropStmt():
                yield from self._drop(statement)
            case ast.RenameStmt() if statement.relation is None or statement.relation.relname not in self._new:
                yield "RENAME breaks the version before: add the new name, and drop the old one a version later"
            case ast.InsertStmt() | ast.UpdateStmt() | ast.DeleteStmt() if statement.relation.relname not in self._new:
                yield _IN_BATCHES
            case ast.AlterTableStmt() if statement.relation.relname not in self._new:
                for command in statement.cmds:
                    yield from self._alter(statement.relation.relname, command)
            case (
                ast.CreateStmt()
                | ast.CreateTableAsStmt()
                | ast.CreateExtensionStmt()
                | ast.CreateFunctionStmt()
                | ast.CreateSeqStmt()
                | ast.CommentStmt()
                | ast.SelectStmt()
                | ast.DoStmt()
                | ast.IndexStmt()
                | ast.RenameStmt()
                | ast.InsertStmt()
                | ast.UpdateStmt()
                | ast.DeleteStmt()
                | ast.AlterTableStmt()
            ):
                pass
            case _:
                yield f"{type(statement).__name__} is not known to the rules"

    def _drop(self, statement: ast.DropStmt) -> Iterator[str]:
        if statement.removeType == ObjectType.OBJECT_INDEX:
            yield "DROP INDEX waits for all queries of its table: drop it CONCURRENTLY, in a no-transaction file"
        elif not self._drops_are_allowed:
            yield "DROP breaks the version before: state since when it is unused, as `-- contract: …`"

    def _alter(self, table: str, command: ast.AlterTableCmd) -> Iterator[str]:
        match command.subtype:
            case Alter.AT_AddColumn:
                yield from _add_column(command.def_)
            case Alter.AT_AddConstraint:
                yield from _add_constraint(command.def_)
            case Alter.AT_SetNotNull if (table, command.name) not in self._never_null:
                yield "SET NOT NULL reads the whole table: validate CHECK (column IS NOT NULL) in an earlier file"
            case Alter.AT_AlterColumnType:
                yield "a change of type rewrites the table: add a column, fill it, and drop the old one a version later"
            case Alter.AT_DropColumn if not self._drops_are_allowed:
                yield "DROP breaks the version before: state since when it is unused, as `-- contract: …`"
            case Alter.AT_ValidateConstraint | Alter.AT_SetNotNull | Alter.AT_DropColumn:
                pass
            case kind if kind not in _WITHOUT_SCAN:
                yield f"{Alter(kind).name} is not known to the rules"
            case _:
                pass


def _outside(statement: Any, before: Any) -> Iterator[str]:
    """Check a statement that has no transaction: it may be run again, and may wait long for its lock."""
    match statement:
        case ast.IndexStmt() if not statement.concurrent:
            yield "CREATE INDEX blocks writers of an existing table: build it CONCURRENTLY"
        case ast.IndexStmt():
            if statement.if_not_exists or _dropped_index(before) != statement.idxname:
                yield "an interrupted build leaves an invalid index: DROP INDEX CONCURRENTLY IF EXISTS before it"
        case ast.DropStmt():
            if _dropped_index(statement) is None:
                yield "outside a transaction, DROP INDEX CONCURRENTLY IF EXISTS alone can be repeated"
        case ast.DoStmt():
            pass
        case _:
            yield f"{type(statement).__name__} belongs into a file that is a transaction"


def _dropped_index(statement: Any) -> str | None:
    """Return the index that DROP INDEX CONCURRENTLY IF EXISTS names."""
    if not isinstance(statement, ast.DropStmt) or statement.removeType != ObjectType.OBJECT_INDEX:
        return None
    name: str = statement.objects[0][-1].sval
    return name if statement.concurrent and statement.missing_ok else None


def _add_column(column: ast.ColumnDef) -> Iterator[str]:
    kinds = {constraint.contype: constraint for constraint in column.constraints or ()}
    default = kinds.pop(Kind.CONSTR_DEFAULT, None)
    if column.typeName.names[-1].sval in _SERIAL or (default is not None and not _is_constant(default.raw_expr)):
        yield "a default that differs from row to row rewrites the table"
    if kinds.pop(Kind.CONSTR_NOTNULL, None) is not None and default is None:
        yield "a column that is NOT NULL without a default breaks the inserts of the version before"
    kinds.pop(Kind.CONSTR_NULL, None)
    for kind in kinds:
        yield f"ADD COLUMN with {Kind(kind).name} reads or rewrites the table: add it in a statement of its own"


def _is_constant(value: Any) -> bool:
    match value:
        case ast.A_Const() | ast.SQLValueFunction():
            return True
        case ast.TypeCast():
            return _is_constant(value.arg)
        case ast.FuncCall():
            return bool(value.funcname[-1].sval == "now")
        case _:
            return False


def _add_constraint(constraint: ast.Constraint) -> Iterator[str]:
    match constraint.contype:
        case Kind.CONSTR_CHECK | Kind.CONSTR_FOREIGN:
            if not constraint.skip_validation:
                yield "a new constraint reads the whole table: add it NOT VALID, and validate it in another file"
        case Kind.CONSTR_UNIQUE | Kind.CONSTR_PRIMARY:
            if constraint.indexname is None:
                yield "a unique constraint builds its index under a lock: build it CONCURRENTLY, then USING INDEX"
        case kind:
            yield f"{Kind(kind).name} is not known to the rules"


def _created(statement: Any) -> Iterator[str]:
    match statement:
        case ast.CreateStmt():
            yield statement.relation.relname
        case ast.CreateTableAsStmt():
            yield statement.into.rel.relname


def _columns_that_are_never_null(migrations: Sequence[Migration]) -> set[tuple[str, str]]:
    """Return (table, column) of each CHECK (column IS NOT NULL) that was added and then validated."""
    checks: dict[tuple[str, str], str] = {}
    found = set()
    for migration in migrations:
        for raw in parse_sql(migration.sql):
            if not isinstance(raw.stmt, ast.AlterTableStmt):
                continue
            table = raw.stmt.relation.relname
            for command in raw.stmt.cmds:
                if command.subtype == Alter.AT_AddConstraint and (column := _checked_column(command.def_)):
                    checks[table, command.def_.conname] = column
                elif command.subtype == Alter.AT_ValidateConstraint and (table, command.name) in checks:
                    found.add((table, checks[table, command.name]))
    return found


def _checked_column(constraint: ast.Constraint) -> str | None:
    test = constraint.raw_expr
    if not isinstance(test, ast.NullTest) or test.nulltesttype != NullTestType.IS_NOT_NULL:
        return None
    name: str = test.arg.fields[-1].sval
    return name
