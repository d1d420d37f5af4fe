"""Introspection: the root fields `__schema` and `__type`, which the library executes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import DocumentNode, FieldNode, OperationDefinitionNode, OperationType, SelectionSetNode, execute_sync

from server.graphql.operations import PreparedOperation
from server.graphql.schema_types import Schema


def introspect(schema: Schema, prepared: PreparedOperation, nodes: Sequence[FieldNode]) -> dict[str, Any]:
    """Return the values of introspection's fields by their response names."""
    operation = prepared.operation
    query = OperationDefinitionNode(
        operation=OperationType.QUERY,
        variable_definitions=operation.node.variable_definitions,
        selection_set=SelectionSetNode(selections=tuple(nodes)),
    )
    document = DocumentNode(definitions=(query, *operation.fragments.values()))
    result = execute_sync(schema.core, document, variable_values=dict(prepared.raw))
    if result.errors:
        raise result.errors[0]
    return result.data or {}
