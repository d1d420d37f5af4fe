"""The rules of REST endpoints, for the fields that do what these do.

A field names its endpoint, as "PUT /photos/{id}/like", and the entry of the route table decides who may use it and what
it is charged to. So the two interfaces cannot differ.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from server.api.endpoint_scopes import scope_of
from server.edge.api_request import ApiRequest
from server.edge.endpoint import Auth, Endpoint
from server.edge.guard import Guard, require_scope
from server.edge.problem import sign_in_required
from server.graphql.fields import BatchFunction, ResolverContext, Results
from server.identity.errors import AccountSuspendedError
from server.identity.rate_limits import READ_QUOTA

C = TypeVar("C", bound=Callable[..., Any])

REST = "rest_endpoint"  # the attribute of a resolver with the name of its endpoint


class EndpointRules:
    """The route table by method and path, and the guard of its endpoints."""

    def __init__(self, guard: Guard, table: Iterable[Endpoint]) -> None:
        self._guard = guard
        self._endpoints = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in table}

    def endpoint(self, name: str) -> Endpoint:
        """Return an endpoint; raise `KeyError` for a name that the route table does not have."""
        return self._endpoints[name]

    def permit(self, request: ApiRequest, name: str) -> None:
        """Raise if the viewer of a request may not use an endpoint at all, whatever it is asked for."""
        endpoint = self._endpoints[name]
        if request.viewer_id is None:
            if endpoint.auth is Auth.REQUIRED:
                raise sign_in_required()
            return
        if request.viewer.restricted and not endpoint.while_suspended:
            raise AccountSuspendedError
        require_scope(request.viewer.scopes, scope_of(endpoint))

    async def apply(self, request: ApiRequest, name: str) -> None:
        """Raise what the guard raises before the handler of an endpoint runs.

        Reads are charged to the limit of the query that they are in, and here only if the endpoint has another limit.
        """
        self.permit(request, name)
        endpoint = self._endpoints[name]
        if not endpoint.reads or endpoint.quota != READ_QUOTA:
            await self._guard.check(request, endpoint)


class RuledContext(ResolverContext):
    """A context whose request and rules resolvers are checked with."""

    request: ApiRequest
    rules: EndpointRules

    @property
    def is_visitor(self) -> bool:
        """Return whether the request has no signed-in user."""
        return self.request.viewer_id is None


def permitted(endpoint: str, resolve: BatchFunction, *, null_for_visitors: bool = False) -> BatchFunction:
    """Return a batch resolver for viewers who may use the endpoint that reads the same.

    With `null_for_visitors` the field of visitors is null, and no error.
    """

    @functools.wraps(resolve)
    async def checked(parents: Sequence[Any], context: RuledContext, **arguments: Any) -> Results[Any]:
        if null_for_visitors and context.is_visitor:
            return [None] * len(parents)
        context.rules.permit(context.request, endpoint)
        found = resolve(parents, context, **arguments)
        return await found if inspect.isawaitable(found) else found

    return named(checked, endpoint)


def ruled(endpoint: str, resolve: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the resolver of a field of a root type, with all rules of the endpoint that does the same."""

    @functools.wraps(resolve)
    async def checked(context: RuledContext, **arguments: Any) -> Any:
        await context.rules.apply(context.request, endpoint)
        return await resolve(context, **arguments)

    return named(checked, endpoint)


def own(endpoint: str, resolve: Callable[..., Awaitable[Any]]) -> BatchFunction:
    """Return the batch resolver of a field of the viewer, as `ruled` does of a root type's."""

    @functools.wraps(resolve)
    async def checked(parents: Sequence[Any], context: RuledContext, **arguments: Any) -> Results[Any]:
        await context.rules.apply(context.request, endpoint)
        found = await resolve(context, **arguments)
        return [found] * len(parents)

    # A batch resolver takes the parents as well.
    signature = inspect.signature(resolve)
    parents = inspect.Parameter("parents", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    checked.__signature__ = signature.replace(parameters=[parents, *signature.parameters.values()])  # type: ignore[attr-defined]
    return named(checked, endpoint)


def endpoint_of(resolve: Callable[..., Any]) -> str | None:
    """Return the endpoint whose rules a resolver applies, or None."""
    named_one = inspect.unwrap(resolve, stop=lambda each: hasattr(each, REST))
    name = getattr(named_one, REST, None)
    return name if isinstance(name, str) else None


def named(resolve: C, endpoint: str) -> C:
    """Return a resolver that says which endpoint's rules it applies."""
    setattr(resolve, REST, endpoint)
    return resolve
