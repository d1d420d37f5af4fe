"""Static cost of an operation: the objects that it can return at most, weighted, known before it is executed.

Each field counts its weight, multiplied by the sizes of the lists above it: 1 for a field of objects, 0 for any other,
unless the schema says otherwise. The size of a list is the argument `first` of the list or of the connection that it
belongs to, else what the schema says, which may be the length of another argument, else 20. Where fragments on
different types select different fields, all count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DirectiveNode,
    FieldNode,
    GraphQLField,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from server.graphql.conditions import holds
from server.graphql.errors import RequestRefusedError
from server.graphql.fields import FieldOptions
from server.graphql.outline import Branch, Entry
from server.graphql.schema_types import field_options
from server.graphql.structure import Limits

PAGE = 20
PAGE_ARGUMENT = "first"
_DIGITS = 11  # of a number that are read; one that has more is far too large, and takes long to convert
# Introspection is executed by the library, 50 objects in the time that the product's resolvers take for one.
INTROSPECTION_WEIGHT = 0.02
# Usual lengths of introspection's lists, by their field; `types` has the types of the schema.
_INTROSPECTION_SIZES = {"fields": 8, "inputFields": 4, "args": 1, "enumValues": 4, "possibleTypes": 2, "interfaces": 1}

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Use:
    """One selection of a field: how many objects it returns, and on which conditions."""

    weight: float
    is_list: bool
    page: int | str | None  # value of `first`, the name of its variable, or None without that argument
    size: int | str | None  # what the schema says, or the name of the variable for a list that is as long
    conditions: tuple[DirectiveNode, ...]


@dataclass(frozen=True, slots=True)
class CostNode:
    """A field that costs something, or below which something does."""

    uses: tuple[_Use, ...]
    children: tuple[CostNode, ...]


def cost_tree(branches: Mapping[str, Branch], schema: GraphQLSchema) -> tuple[CostNode, ...]:
    """Return what is needed to compute an operation's cost for any variables."""
    nodes = []
    for branch in branches.values():
        uses = tuple(_use(entry, schema) for entry in branch.entries)
        children = cost_tree(branch.children, schema)
        if children or any(use.weight for use in uses):
            nodes.append(CostNode(uses, children))
    return tuple(nodes)


def total_cost(nodes: Iterable[CostNode], variables: Variables) -> int:
    """Return the cost of an operation with these variables, rounded up; at least 1."""
    return max(1, math.ceil(_cost(nodes, variables, None)))


def check_cost(cost: int, limits: Limits) -> None:
    """Raise `RequestRefusedError` for an operation that costs too much."""
    if cost > limits.cost:
        message = (
            f"The operation costs {cost}; at most {limits.cost} are allowed. "
            "Ask for smaller pages with the argument first, or for fewer lists within lists."
        )
        raise RequestRefusedError("cost_exceeded", [message], cost=cost)


def _cost(nodes: Iterable[CostNode], variables: Variables, page: int | None) -> float:
    """Return the cost of fields below one object, to which a connection gives the size of its list."""
    total = 0.0
    for node in nodes:
        weight, size, below = 0.0, 0, 0
        for use in node.uses:
            if not holds(use.conditions, variables):
                continue
            own = _page(use.page, variables)
            if use.is_list:
                size = max(
                    size, next(found for found in (own, page, _length(use.size, variables), PAGE) if found is not None)
                )
            else:
                size, below = max(size, 1), max(below, own or 0)
            weight = max(weight, use.weight)
        if size:
            total += size * (weight + _cost(node.children, variables, below or None))
    return total


def _use(entry: Entry, schema: GraphQLSchema) -> _Use:
    definition = entry.definition
    options, kind = _options(entry, schema), get_named_type(definition.type)
    weight = options.weight
    if weight is None:
        weight = 0 if is_leaf_type(kind) else 1
    return _Use(
        weight=INTROSPECTION_WEIGHT * weight if kind.name.startswith("__") else weight,
        is_list=is_list_type(get_nullable_type(definition.type)) and not is_leaf_type(kind),
        page=_page_argument(entry.node, definition),
        size=_size_argument(entry.node, options.size) if isinstance(options.size, str) else options.size,
        conditions=entry.conditions,
    )


def _options(entry: Entry, schema: GraphQLSchema) -> FieldOptions:
    if not entry.parent.name.startswith("__"):
        return field_options(entry.definition)
    name = entry.node.name.value
    return FieldOptions(size=len(schema.type_map) if name == "types" else _INTROSPECTION_SIZES.get(name))


def _page_argument(node: FieldNode, definition: GraphQLField) -> int | str | None:
    if PAGE_ARGUMENT not in definition.args:
        return None
    for argument in node.arguments or ():
        if argument.name.value == PAGE_ARGUMENT:
            value = argument.value
            if isinstance(value, VariableNode):
                return value.name.value
            if isinstance(value, IntValueNode):
                return max(1, int(value.value[:_DIGITS]))
    default = definition.args[PAGE_ARGUMENT].default_value
    return default if isinstance(default, int) else PAGE


def _size_argument(node: FieldNode, name: str) -> int | str | None:
    """Return the length of a list that is an argument, or the name of its variable."""
    for argument in node.arguments or ():
        if argument.name.value == name:
            value = argument.value
            if isinstance(value, VariableNode):
                return value.name.value
            return len(value.values) if isinstance(value, ListValueNode) else 1
    return None


def _length(size: int | str | None, variables: Variables) -> int | None:
    if not isinstance(size, str):
        return size
    value = variables.get(size)
    return len(value) if isinstance(value, list) else 1


def _page(page: int | str | None, variables: Variables) -> int | None:
    if not isinstance(page, str):
        return page
    value = variables.get(page)
    # Whatever is no number has been refused with the variables, or is null, with which the default applies.
    return max(1, value) if isinstance(value, int) else PAGE
