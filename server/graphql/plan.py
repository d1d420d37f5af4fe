"""Compile an operation into a plan: for each type of object, which fields are read and which are resolved in batches.

Fragments are merged in, and `@skip` and `@include` are decided: a plan is made for one set of values of the variables
that they depend on. What is selected on a type of an interface or a union is compiled when the first such object is
met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
)

from server.graphql.arguments import Arguments
from server.graphql.columns import LeafColumn, ObjectColumn, Shape, UnexpectedValueError
from server.graphql.conditions import holds
from server.graphql.fields import TYPE_NAME, BatchFunction, Each, Prefixed
from server.graphql.rows import Make, PrefixedKey, RowField, row_function
from server.graphql.schema_types import Schema, field_options, leaf_key

_INTROSPECTION = {"__schema", "__type"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A field of a selection: its response name, its nodes, the nullability of its type and its completion."""

    name: str
    nodes: Sequence[FieldNode]
    shape: Shape
    column: LeafColumn | ObjectColumn


@dataclass(frozen=True, kw_only=True, slots=True)
class Read(Step):
    """A field that is read from the parent."""

    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetch(Step):
    """A field that is resolved for all parents of a level at once."""

    resolve: BatchFunction
    arguments: Arguments
    charges: bool


@dataclass(slots=True)
class Selection:
    """What is selected on one type of object; `introspection` are the nodes of root fields for the library.

    `make` makes objects that lack only the `late_reads` and `late_fetches`; without these, `fields` are all fields.
    """

    template: dict[str, Any] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)
    introspection: list[FieldNode] = field(default_factory=list)
    make: Make | None = None
    fields: tuple[RowField, ...] | None = None
    late_reads: list[Read] = field(default_factory=list)
    late_fetches: list[Fetch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled operation; `serial` fields of the root are executed one after the other.

    An operation that `charges` reads nothing before a field that charges it.
    """

    root: Selection
    serial: bool
    charges: bool


class Compiler:
    """Compiles selections of one operation, for one set of values of the variables in conditions."""

    def __init__(
        self, source: Schema, fragments: Mapping[str, FragmentDefinitionNode], conditions: Mapping[str, Any]
    ) -> None:
        self._source = source
        self._schema = source.core
        self._fragments = fragments
        self._conditions = conditions

    def plan(self, operation: OperationDefinitionNode) -> Plan:
        """Return the plan of an operation."""
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            raise LookupError(operation.operation.value)  # validation has refused it
        selection = self._selection(root, [operation.selection_set])
        return Plan(selection, operation.operation is OperationType.MUTATION, _charges(selection))

    def _selection(self, kind: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> Selection:
        selection = Selection()
        grouped: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for selections in sets:
            self._collect(selections, kind, grouped, visited)
        for name, nodes in grouped.items():
            field_name = nodes[0].name.value
            selection.template[name] = kind.name if field_name == TYPE_NAME else None
            if field_name in _INTROSPECTION:
                selection.introspection += nodes
            elif field_name != TYPE_NAME:
                self._add(selection, name, nodes, kind.fields[field_name])
        _add_row(selection)
        return selection

    def _add(self, selection: Selection, name: str, nodes: Sequence[FieldNode], definition: GraphQLField) -> None:
        shape = _shape(definition)
        column = self._column(get_named_type(definition.type), shape, nodes)
        options = field_options(definition)
        if options.resolve is None:
            read = Read(name=name, nodes=nodes, shape=shape, column=column, key=leaf_key(definition))
            selection.reads.append(read)
        else:
            arguments = Arguments(self._source, definition, nodes[0])
            selection.fetches.append(
                Fetch(
                    name=name,
                    nodes=nodes,
                    shape=shape,
                    column=column,
                    resolve=options.resolve,
                    arguments=arguments,
                    charges=options.charges,
                )
            )

    def _column(self, kind: GraphQLNamedType, shape: Shape, nodes: Sequence[FieldNode]) -> LeafColumn | ObjectColumn:
        if isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            return LeafColumn(kind, shape)
        sets = [node.selection_set for node in nodes if node.selection_set is not None]
        if isinstance(kind, GraphQLObjectType):
            return ObjectColumn(shape, self._selection(kind, sets))
        return ObjectColumn(shape, None, _Types(self, kind, sets))

    def _collect(
        self,
        selections: SelectionSetNode,
        kind: GraphQLObjectType,
        grouped: dict[str, list[FieldNode]],
        visited: set[str],
    ) -> None:
        for node in selections.selections:
            if node.directives and not holds(node.directives, self._conditions):
                continue
            if isinstance(node, FieldNode):
                grouped.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or self._applies(condition.name.value, kind):
                    self._collect(node.selection_set, kind, grouped, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                fragment = self._fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, kind):
                    self._collect(fragment.selection_set, kind, grouped, visited)

    def _applies(self, condition: str, kind: GraphQLObjectType) -> bool:
        found = self._schema.type_map[condition]
        return found is kind or (is_abstract_type(found) and self._schema.is_sub_type(found, kind))

    def on_type(self, name: str, abstract: GraphQLNamedType, sets: Sequence[SelectionSetNode]) -> Selection:
        """Return what is selected on a type of an interface or a union; raise `UnexpectedValueError` for others."""
        kind = self._schema.type_map.get(name)
        if not (
            isinstance(kind, GraphQLObjectType)
            and is_abstract_type(abstract)
            and self._schema.is_sub_type(abstract, kind)
        ):
            raise UnexpectedValueError(f"{name} is no type of {abstract.name}")
        return self._selection(kind, sets)


class _Types(dict[str, Selection]):
    """Selections by type name, compiled when a type is met."""

    def __init__(self, compiler: Compiler, abstract: GraphQLNamedType, sets: Sequence[SelectionSetNode]) -> None:
        super().__init__()
        self._compiler = compiler
        self._abstract = abstract
        self._sets = sets

    def __missing__(self, name: str) -> Selection:
        self[name] = selection = self._compiler.on_type(name, self._abstract, self._sets)
        return selection


def _add_row(selection: Selection) -> None:
    """Divide the fields of a selection into those that its rows have and those that are filled later."""
    rows = {name: RowField(name, constant, None) for name, constant in selection.template.items()}
    steps: list[Read | Fetch] = [*selection.reads, *selection.fetches]
    found = {each.name: each for each in map(_row_field, steps) if each is not None}
    rows |= found
    selection.late_reads = [each for each in selection.reads if each.name not in found]
    selection.late_fetches = [each for each in selection.fetches if each.name not in found]
    fields = tuple(rows.values())
    if found:
        selection.make = row_function(fields)
    if not (selection.late_reads or selection.late_fetches or selection.introspection):
        selection.fields = fields


def _row_field(step: Read | Fetch) -> RowField | None:
    """Return the field of a row, None where it is filled later."""
    form = step.column.form
    if form is None:
        return None
    if isinstance(step, Read):
        return RowField(step.name, step.key, form)
    if isinstance(step.resolve, Prefixed):
        return RowField(step.name, PrefixedKey(step.resolve.prefix, step.resolve.key), form)
    return RowField(step.name, step.resolve.value, form) if isinstance(step.resolve, Each) else None


def _charges(root: Selection) -> bool:
    """Return whether the only field that is resolved first, or the only one below it and so on, charges."""
    selection: Selection | None = root
    while selection is not None and not selection.introspection and len(selection.fetches) == 1:
        (fetch,) = selection.fetches
        if fetch.charges:
            return True
        selection = fetch.column.selection if isinstance(fetch.column, ObjectColumn) else None
    return False


def _shape(definition: GraphQLField) -> Shape:
    return Shape(tuple(_nullable(definition.type)))


def _nullable(kind: Any) -> Iterator[bool]:
    while True:
        required = is_non_null_type(kind)
        if required:
            kind = kind.of_type
        yield not required
        if not is_list_type(kind):
            return
        kind = kind.of_type
