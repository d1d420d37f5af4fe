"""Requests to the GraphQL interface, as a user of the API."""

from __future__ import annotations

from typing import Any

from tests.support.api_user import ApiUser, Response


async def send(user: ApiUser, document: str, /, **variables: Any) -> Response:
    """Send a document with its variables, and return the response, whatever its status."""
    body = {"query": document, "variables": variables}
    return await user.call("POST", f"{user.url}/graphql", json=body)


async def query(user: ApiUser, document: str, /, **variables: Any) -> dict[str, Any]:
    """Return the data of a response without errors."""
    found = (await send(user, document, **variables)).expect(200)
    assert "errors" not in found, found["errors"]
    data: dict[str, Any] = found["data"]
    return data


async def refused(user: ApiUser, document: str, /, **variables: Any) -> list[str]:
    """Return the codes of the errors of a response."""
    found = (await send(user, document, **variables)).json
    return [error["extensions"]["code"] for error in found["errors"]]
