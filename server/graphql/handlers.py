"""The handlers of `/graphql`: `POST` for every operation, `GET` for queries whose document is persisted.

The rules are those of the draft "GraphQL over HTTP" (https://graphql.github.io/graphql-over-http/draft/), with one
status more: a request that is refused before its execution is a 400 for both media types. What never becomes a GraphQL
request, as one without a session or with a wrong body, is answered with a problem, as the REST API does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from aiohttp import web
from graphql import OperationType

from server.edge.api_request import ApiRequest
from server.edge.problem import ProblemError
from server.graphql.charging import prepare_charged
from server.graphql.due import Due
from server.graphql.errors import RequestRefusedError
from server.graphql.executor import Executor
from server.graphql.fields import ResolverContext
from server.graphql.manifest import AcceptedDocuments
from server.graphql.metrics import GraphqlMetrics, NoGraphqlMetrics
from server.graphql.operations import PreparedOperation
from server.graphql.persisted import PersistedDocuments
from server.graphql.requests import OperationRequest, from_body, from_query
from server.identity.rate_limits import READ_QUOTA

MEDIA_TYPE = "application/graphql-response+json"
JSON = "application/json"
PUBLIC_AGE = 10  # seconds for which proxies may keep a response that is the same for every visitor


class Charger(Protocol):
    """Charges rate limits, as the guard does."""

    async def charge(self, request: ApiRequest, quota: str, *, cost: int = 1, locally: bool = False) -> None:
        """Charge a rate limit; raise where it is used up, or the session was revoked."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphqlServices:
    """What the handlers need; `new_context` returns what the resolvers of a request share."""

    executor: Executor
    new_context: Callable[[ApiRequest], ResolverContext]
    charger: Charger
    documents: AcceptedDocuments = field(default_factory=AcceptedDocuments)
    metrics: GraphqlMetrics = field(default_factory=NoGraphqlMetrics)


class GraphqlHandlers:
    """Handlers of the GraphQL interface."""

    def __init__(self, services: GraphqlServices) -> None:
        self._services = services
        self._executor = services.executor
        self._documents = PersistedDocuments(services.documents)
        self._sdl = services.executor.schema.sdl()

    async def post(self, request: ApiRequest) -> web.StreamResponse:
        """Execute an operation, whose request is the body."""
        return await self._respond(request, from_body(await request.json()))

    async def get(self, request: ApiRequest) -> web.StreamResponse:
        """Execute a query whose document is persisted; the request is the query of the URL."""
        operation = from_query(request.http.rel_url.raw_query_string)
        if operation.text is not None:
            raise ProblemError(
                400, "document_in_url", "A GET names a persisted document by documentId. Send a query with a POST."
            )
        return await self._respond(request, operation)

    async def sdl(self, _request: ApiRequest) -> web.StreamResponse:
        """Return the schema in the schema definition language."""
        headers = {"Cache-Control": "no-cache"}
        return web.Response(text=self._sdl, content_type="text/plain", charset="utf-8", headers=headers)

    async def _respond(self, request: ApiRequest, operation: OperationRequest) -> web.StreamResponse:
        kind, cost = "unknown", None
        try:
            prepared, due = await self._prepare(request, operation)
            kind, cost = prepared.operation.kind.value, prepared.cost
            response = await self._run(request, prepared, due)
        except RequestRefusedError as error:
            self._services.metrics.graphql_done(operation=kind, outcome=error.code)
            response = {"errors": error.entries()} | self._extensions(cost or error.cost)
            return _response(request, response, status=error.status)
        outcome = "errors" if "errors" in response else "ok"
        self._services.metrics.graphql_done(operation=kind, outcome=outcome)
        return _response(request, response | self._extensions(cost))

    async def _prepare(self, request: ApiRequest, operation: OperationRequest) -> tuple[PreparedOperation, Due]:
        """Return the operation, and what it is still to be charged because it charges that itself."""

        def charge(units: int) -> Awaitable[None]:
            return self._charge(request, units)

        prepared, known, units = await prepare_charged(self._executor, self._documents.find, operation, charge)
        due = Due(units, charge)
        if not prepared.plan.charges:
            await due.settle()
        self._services.metrics.graphql_prepared(known=known, cost=prepared.cost)
        return prepared, due

    async def _run(self, request: ApiRequest, prepared: PreparedOperation, due: Due) -> dict[str, Any]:
        kind, method = prepared.operation.kind, request.http.method
        if kind is OperationType.SUBSCRIPTION:
            message = (
                "A subscription needs a connection that stays open. Open a WebSocket with the protocol "
                "graphql-transport-ws, or send the POST with the header field Accept: text/event-stream."
            )
            raise RequestRefusedError("subscription_refused", [message])
        if kind is OperationType.MUTATION and method != "POST":
            detail = "A GET executes queries alone. Send a mutation with a POST."
            raise ProblemError(405, "method_not_allowed", detail, headers={"Allow": "POST"})
        context = self._services.new_context(request)
        context.due = due
        response = await self._executor.run(prepared, context)
        # After an error before the charge, as of a cursor, it is still due.
        await due.settle()
        if due.refusal is not None:
            raise due.refusal
        return response

    async def _charge(self, request: ApiRequest, units: int) -> None:
        # Queries go on while Redis is away, as all reads do; each field of a mutation is charged by itself.
        await self._services.charger.charge(request, READ_QUOTA, cost=units, locally=True)

    def _extensions(self, cost: int | None) -> dict[str, Any]:
        return (
            {} if cost is None else {"extensions": {"cost": {"requested": cost, "limit": self._executor.limits.cost}}}
        )


def _response(request: ApiRequest, response: Mapping[str, Any], *, status: int = 200) -> web.Response:
    headers = {}
    if request.http.method != "POST" and request.viewer_id is None and "errors" not in response:
        headers["Cache-Control"] = f"public, max-age={PUBLIC_AGE}"
        headers["Vary"] = "Accept, Authorization, Cookie"
    accepted = request.http.headers.get("Accept", "")
    media_type = JSON if JSON in accepted and MEDIA_TYPE not in accepted else MEDIA_TYPE
    return web.Response(body=orjson.dumps(response), status=status, content_type=media_type, headers=headers)
