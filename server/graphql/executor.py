"""The executor of a schema: check a document, prepare an operation for its variables, and execute it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import strawberry

from server.graphql.cost import check_cost
from server.graphql.documents import Documents
from server.graphql.errors import RequestRefusedError
from server.graphql.execution import Execution
from server.graphql.fields import ResolverContext
from server.graphql.introspection import introspect
from server.graphql.operations import PreparedOperation
from server.graphql.schema_types import Schema
from server.graphql.structure import Limits, trusted_limits


class Executor:
    """Executor of the documents of one schema."""

    def __init__(self, source: strawberry.Schema, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.schema = Schema(source)
        self.documents = Documents(self.schema)
        self._trusted_limits = trusted_limits(self.limits)
        self._checking = asyncio.Lock()
        # One thread: several that compute would keep the event loop from running.
        self._introspection = ThreadPoolExecutor(1, thread_name_prefix="introspection")

    def prepare(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        trusted: bool = False,
    ) -> PreparedOperation:
        """Return an operation that is ready to be executed; raise `RequestRefusedError`.

        The form of a `trusted` document, which is the operator's, has higher limits; its cost has the same.
        """
        given = variables or {}
        try:
            size = len(orjson.dumps(given))
        except orjson.JSONEncodeError:
            message = "The variables are nested too deeply, or have an integer of more than 64 bits."
            raise RequestRefusedError("variables_too_large", [message]) from None
        if size > self.limits.variables_bytes:
            message = f"The variables have {size} bytes; at most {self.limits.variables_bytes} are allowed."
            raise RequestRefusedError("variables_too_large", [message])
        limits = self._trusted_limits if trusted else self.limits
        prepared = self.documents.check(document, limits).operation(operation_name).prepare(given)
        check_cost(prepared.cost, self.limits)
        return prepared

    async def prepare_in_turn(
        self, document: str, variables: Mapping[str, Any] | None, operation_name: str | None, *, trusted: bool
    ) -> PreparedOperation:
        """Do the same, and check one document in a turn of the event loop.

        Many checks in a row would keep all other requests waiting.
        """
        if self.documents.known(document) is not None:
            return self.prepare(document, variables, operation_name, trusted=trusted)
        async with self._checking:
            await asyncio.sleep(0)
            return self.prepare(document, variables, operation_name, trusted=trusted)

    async def run(self, prepared: PreparedOperation, context: ResolverContext) -> dict[str, Any]:
        """Return the response of an operation: `data`, and `errors` where there are any."""
        plan = prepared.plan
        execution = Execution(plan, context, prepared.variables)
        data = await execution.run()
        if plan.root.introspection and data is not None:
            # The whole schema takes as long as a hundred pages.
            data |= await asyncio.get_running_loop().run_in_executor(
                self._introspection, introspect, self.schema, prepared, plan.root.introspection
            )
        return _response(data, execution)

    async def project(self, prepared: PreparedOperation, event: Any, context: ResolverContext) -> dict[str, Any]:
        """Return the response of a subscription for one event, which its root field is read from or resolved for.

        Only the context depends on the subscriber. So where the selected fields do not use its viewer, one response
        is enough for all subscribers with the same plan and variables.
        """
        execution = Execution(prepared.plan, context, prepared.variables)
        return _response(await execution.run(event), execution)

    async def execute(
        self,
        document: str,
        context: ResolverContext,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
    ) -> dict[str, Any]:
        """Return the response of a document; that of a refused one has `errors` alone."""
        try:
            prepared = self.prepare(document, variables, operation_name)
        except RequestRefusedError as error:
            return {"errors": error.entries()}
        return await self.run(prepared, context)


def _response(data: dict[str, Any] | None, execution: Execution) -> dict[str, Any]:
    response: dict[str, Any] = {"data": data}
    if execution.errors:
        response["errors"] = execution.errors
    return response
