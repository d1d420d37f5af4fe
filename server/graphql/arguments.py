"""Arguments of a field: those of its node, coerced as the specification says, in the form that resolvers take."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_argument_values,
)
from graphql.execution.values import VariableValues

from server.graphql.errors import ArgumentError
from server.graphql.fields import frozen
from server.graphql.schema_types import Schema


class Arguments:
    """Arguments of one node; without variables they are coerced once."""

    def __init__(self, schema: Schema, definition: GraphQLField, node: FieldNode) -> None:
        self._schema = schema
        self._definition = definition
        self._node = node
        self._constant: dict[str, Any] | None = {}
        self._converted: dict[str, Any] | None = {}
        if definition.args:
            self._constant = self._coerced_once()
            self._converted = self._converted_once()
        self._key = frozen(self._converted or {})

    def values(self, variables: VariableValues) -> dict[str, Any]:
        """Return the arguments by the names of the resolver's parameters; raise `ArgumentError` for a wrong value."""
        if self._converted is not None:
            return self._converted
        values = self._constant
        if values is None:
            try:
                values = get_argument_values(self._definition, self._node, variables, hide_suggestions=True)
            except GraphQLError as error:
                raise ArgumentError(error.message) from None
        return self._schema.converted(values, self._definition)

    def key(self, values: Mapping[str, Any]) -> Hashable:
        """Return what distinguishes these values, which `values` has returned, from others of the field."""
        return self._key if values is self._converted else frozen(values)

    def _converted_once(self) -> dict[str, Any] | None:
        # Lists and input objects are made for each request: resolvers may change them.
        if self._constant is None or any(isinstance(value, list | dict) for value in self._constant.values()):
            return None
        return self._schema.converted(self._constant, self._definition)

    def _coerced_once(self) -> dict[str, Any] | None:
        if any(_has_variable(argument.value) for argument in self._node.arguments or ()):
            return None
        try:
            return get_argument_values(self._definition, self._node, hide_suggestions=True)
        except GraphQLError:
            return None  # raised again for each request, as the error of the field


def _has_variable(node: ValueNode) -> bool:
    return isinstance(node, VariableNode) or any(_has_variable(inner) for inner in _inner(node))


def _inner(node: ValueNode) -> Iterator[ValueNode]:
    if isinstance(node, ListValueNode):
        yield from node.values
    elif isinstance(node, ObjectValueNode):
        for each in node.fields:
            yield each.value
