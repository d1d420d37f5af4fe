"""The rules of REST endpoints, for the fields that do what these do.

A field names its endpoint, as "PUT /photos/{id}/like", and the entry of the route table decides who may use it and what
it is charged to. So the two interfaces cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.edge.api_request import ApiRequest
from server.edge.endpoint import Auth, Endpoint
from server.edge.guard import Guard
from server.edge.problem import sign_in_required
from server.identity.errors import AccountSuspendedError
from server.identity.rate_limits import READ_QUOTA


class EndpointRules:
    """The route table by method and path, and the guard of its endpoints."""

    def __init__(self, guard: Guard, table: Iterable[Endpoint]) -> None:
        self._guard = guard
        self._endpoints = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in table}

    def endpoint(self, name: str) -> Endpoint:
        """Return an endpoint; raise `KeyError` for a name that the route table does not have."""
        return self._endpoints[name]

    async def apply(self, request: ApiRequest, name: str) -> None:
        """Raise what the guard raises before the handler of an endpoint runs.

        Reads are charged to the limit of the query that they are in, and here only if the endpoint has another limit.
        """
        endpoint = self._endpoints[name]
        if request.viewer_id is None:
            if endpoint.auth is Auth.REQUIRED:
                raise sign_in_required()
        elif request.viewer.restricted and not endpoint.while_suspended:
            raise AccountSuspendedError
        if not endpoint.reads or endpoint.quota != READ_QUOTA:
            await self._guard.check(request, endpoint)
