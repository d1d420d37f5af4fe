"""Check of the documents of subscriptions: the limits of queries, and only fields that come from the publication."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from weakref import WeakValueDictionary

import orjson
from graphql import FieldNode, GraphQLError, OperationType

from channels.contract.errors import OperationRefusedError
from channels.contract.ports import GraphqlSubscription, Identity
from server.edge.problem import ProblemError, unexpected
from server.edge.problems import problem_of
from server.graphql.charging import FindDocument, prepare_charged
from server.graphql.columns import LeafColumn, ObjectColumn
from server.graphql.errors import ArgumentError, RequestRefusedError
from server.graphql.executor import Executor
from server.graphql.metrics import GraphqlMetrics, NoGraphqlMetrics
from server.graphql.operations import PreparedOperation
from server.graphql.plan import Fetch, Selection
from server.graphql.requests import from_body
from server.graphql.subscriptions.events import EVENTS
from server.graphql.subscriptions.projection import PlanProjection
from server.graphql.subscriptions.subscription import channel_of, since_of
from server.identity.errors import IdentityError

ChargeUser = Callable[[Identity, int], Awaitable[None]]
"""Charges so many requests to a user's rate limit of reads, as `Charge` does; raises also `ChannelsError`."""


class SubscriptionDocuments:
    """The documents of subscriptions; implements the port of the live layer."""

    def __init__(
        self, executor: Executor, find: FindDocument, charge: ChargeUser, metrics: GraphqlMetrics | None = None
    ) -> None:
        self._executor = executor
        self._find = find
        self._charge = charge
        self._metrics = metrics or NoGraphqlMetrics()
        # By the identity of the plan, which a projection keeps alive, so that no other plan can have it meanwhile.
        self._projections: WeakValueDictionary[tuple[int, str], PlanProjection] = WeakValueDictionary()

    async def load(self) -> None:
        """Do nothing: the schema was made before."""

    async def subscription(self, request: Mapping[str, Any], identity: Identity) -> GraphqlSubscription:
        """Return the subscription of a request, and charge it; raise `OperationRefusedError` and `ChannelsError`."""
        try:
            found = await self._checked(request, identity)
        except (RequestRefusedError, ProblemError, IdentityError) as error:
            refused = _refused(error)
            self._metrics.graphql_done(operation="subscription", outcome=refused.code)
            raise OperationRefusedError(orjson.dumps(refused.entries())) from error
        self._metrics.graphql_done(operation="subscription", outcome="ok")
        return found

    async def _checked(self, request: Mapping[str, Any], identity: Identity) -> GraphqlSubscription:
        def charge(units: int) -> Awaitable[None]:
            return self._charge(identity, units)

        prepared, known, due = await prepare_charged(self._executor, self._find, from_body(dict(request)), charge)
        if due:
            await charge(due)
        if prepared.operation.kind is not OperationType.SUBSCRIPTION:
            message = "This connection is for subscriptions. Send queries and mutations with POST /graphql."
            raise RequestRefusedError("not_a_subscription", [message])
        root = _root(prepared)
        field = root.nodes[0].name.value
        if isinstance(root.column, ObjectColumn):
            for event in set(EVENTS[field].values()):
                _check(root.column.selection_on(event))
        self._metrics.graphql_prepared(known=known, cost=prepared.cost)
        try:
            arguments = root.arguments.values(prepared.variables)
        except ArgumentError as error:
            raise RequestRefusedError("invalid_variables", [str(error)]) from error
        channel = channel_of(field, arguments)
        return GraphqlSubscription(
            channel=channel, projection=self._projection(prepared, field, channel), since=since_of(arguments)
        )

    def _projection(self, prepared: PreparedOperation, field: str, channel: str) -> PlanProjection:
        # The state with which a presence begins lacks what its publications have, and that depends on the user.
        _, _, user_id = channel.partition(":")
        defaults = {"type": field, "user_id": user_id} if field == "presence" else {}
        key = id(prepared.plan), defaults.get("user_id", "")
        found = self._projections.get(key)
        if found is None:
            found = self._projections[key] = PlanProjection(prepared, EVENTS[field], defaults)
        return found


def _refused(error: Exception) -> RequestRefusedError:
    if isinstance(error, RequestRefusedError):
        return error
    problem = problem_of(error) or unexpected()
    return RequestRefusedError(problem.code, [problem.detail], status=problem.status)


def _root(prepared: PreparedOperation) -> Fetch:
    fetches = prepared.plan.root.fetches
    if len(fetches) != 1 or prepared.plan.root.introspection:
        raise RequestRefusedError("validation_failed", ["A subscription has exactly one field."])
    return fetches[0]


def _check(selection: Selection) -> None:
    """Raise if a field at any depth does not come from the publication."""
    refused = [node for fetch in _fetches(selection) if _reads(fetch) for node in fetch.nodes[:1]]
    if refused:
        raise RequestRefusedError("not_in_event", [_refusal(node) for node in refused])


def _refusal(node: FieldNode) -> GraphQLError:
    name = node.name.value
    return GraphQLError(
        f"The field {name} is not a part of the event, and cannot be selected in a subscription. Read it with a query.",
        node,
    )


def _reads(fetch: Fetch) -> bool:
    """Return whether a field may need a read, or depends on arguments, and so on the subscription's variables."""
    return inspect.iscoroutinefunction(fetch.resolve) or len(inspect.signature(fetch.resolve).parameters) > 2


def _fetches(selection: Selection) -> Iterator[Fetch]:
    for fetch in selection.fetches:
        yield fetch
        if not _reads(fetch):
            yield from _below(fetch.column)
    for read in selection.reads:
        yield from _below(read.column)


def _below(column: LeafColumn | ObjectColumn) -> Iterator[Fetch]:
    # Interfaces and unions are the types of root fields alone.
    if isinstance(column, ObjectColumn) and column.selection is not None:
        yield from _fetches(column.selection)
