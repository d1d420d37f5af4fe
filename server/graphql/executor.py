"""Execute documents: the schema, the root value's fields, and the response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import ExecutionResult, execute, parse, validate

from server.graphql.fields import ResolverContext
from server.graphql.schema_types import prepare


class Executor:
    """Executor of the documents of one schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = prepare(schema)

    async def execute(
        self,
        document: str,
        context: ResolverContext,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
    ) -> dict[str, Any]:
        """Return the response of a document, as `{"data": …, "errors": […]}`."""
        parsed = parse(document)
        faults = validate(self._schema, parsed)
        if faults:
            return {"errors": [fault.formatted for fault in faults]}
        found = execute(
            self._schema,
            parsed,
            context_value=context,
            variable_values=dict(variables or {}),
            operation_name=operation_name,
        )
        result = found if isinstance(found, ExecutionResult) else await found
        return dict(result.formatted)
