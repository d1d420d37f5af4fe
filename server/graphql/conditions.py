"""Conditions of selections: the directives `@skip` and `@include`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)


def holds(directives: Iterable[DirectiveNode], variables: Mapping[str, Any]) -> bool:
    """Return whether a selection takes part; `variables` has the values of `condition_variables`."""
    return all(bool(_value(node, variables)) is wanted for node, wanted in _conditions(directives))


def condition_variables(definitions: Iterable[OperationDefinitionNode | FragmentDefinitionNode]) -> set[str]:
    """Return the names of the variables that decide which selections take part."""
    return {
        node.name.value
        for definition in definitions
        for directives in _directives(definition.selection_set)
        for node, _ in _conditions(directives)
        if isinstance(node, VariableNode)
    }


def _conditions(directives: Iterable[DirectiveNode]) -> Iterator[tuple[ValueNode, bool]]:
    for directive in directives:
        name = directive.name.value
        if name in {"skip", "include"}:
            for argument in directive.arguments or ():  # the only one is `if`
                yield argument.value, name == "include"


def _directives(selections: SelectionSetNode) -> Iterator[Iterable[DirectiveNode]]:
    for node in selections.selections:
        if node.directives:
            yield node.directives
        if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
            yield from _directives(node.selection_set)


def _value(node: ValueNode, variables: Mapping[str, Any]) -> Any:
    if isinstance(node, VariableNode):
        return variables[node.name.value]
    return isinstance(node, BooleanValueNode) and node.value
