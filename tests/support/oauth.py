"""Applications for tests: registered, authorized by a user, and with an unmodified client library, authlib."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

from tests.support.api import Api
from tests.support.api_user import ApiUser, Response

T = TypeVar("T")

REDIRECT_URI = "https://app.example/callback"
VERIFIER = "a-verifier-of-the-tests-with-more-than-43-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPES = ["read", "write:likes"]


async def register(owner: ApiUser, **fields: Any) -> dict[str, Any]:
    """Register an application, a confidential one unless `fields` say otherwise."""
    body = {"name": "Frames", "website": "https://app.example", "redirect_uris": [REDIRECT_URI], "scopes": SCOPES}
    application: dict[str, Any] = (await owner.call("POST", "/oauth/applications", json={**body, **fields})).expect(201)
    return application


def query_of(application: dict[str, Any], **parameters: str | None) -> str:
    """Return the query of a request for authorization; a parameter that is None is left out."""
    usual = {
        "response_type": "code",
        "client_id": application["client_id"],
        "redirect_uri": REDIRECT_URI,
        "scope": "read write:likes",
        "state": "s t&te",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return urlencode({name: value for name, value in {**usual, **parameters}.items() if value is not None})


async def answer(user: ApiUser, query: str, *, approve: bool = True) -> Response:
    """Answer a request for authorization, as the page does."""
    return await user.call("POST", "/oauth/authorization", json={"request": query, "approve": approve})


def parameters_of(url: str) -> dict[str, str]:
    """Return the parameters in the query of an address, each of which is there once."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


async def code_for(user: ApiUser, application: dict[str, Any], **parameters: str | None) -> str:
    """Let a user approve an application, and return the code."""
    approved = (await answer(user, query_of(application, **parameters))).expect(201)
    return parameters_of(approved["redirect_to"])["code"]


async def post(api: Api, path: str, *, auth: tuple[str, str] | None = None, **form: str | None) -> Response:
    """Send a form to an endpoint of the authorization server."""
    data = {name: value for name, value in form.items() if value is not None}
    headers = {} if auth is None else {"Authorization": aiohttp.encode_basic_auth(*auth)}
    async with api.session.post(f"{api.url}{path}", data=data, headers=headers) as response:
        return Response(response.status, response.headers, await response.read())


async def exchange(api: Api, application: dict[str, Any], code: str, **changed: str | None) -> Response:
    """Exchange a code, with what a correct application sends; a field that is None is left out."""
    usual = {
        "grant_type": "authorization_code",
        "client_id": application["client_id"],
        "client_secret": application["client_secret"],
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    return await post(api, "/oauth/token", **{**usual, **changed})


async def exchange_at(url: str, application: dict[str, Any], code: str) -> dict[str, Any]:
    """Exchange a code at a service that runs elsewhere, and return the tokens."""
    form = {
        "grant_type": "authorization_code",
        "client_id": application["client_id"],
        "client_secret": application["client_secret"],
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    async with aiohttp.ClientSession() as session, session.post(f"{url}/oauth/token", data=form) as response:
        assert response.status == 200, await response.text()
        tokens: dict[str, Any] = await response.json()
        return tokens


def with_token(api: Api, user: ApiUser, tokens: dict[str, Any]) -> ApiUser:
    """Return a client that acts for a user with the token of an application."""
    client = ApiUser(api.session, api.url, user.name)
    client.id, client.token = user.id, tokens["access_token"]
    return client


class AuthlibClient:
    """An unmodified OAuth client, which follows the metadata of the server."""

    def __init__(self, api: Api, application: dict[str, Any], **options: Any) -> None:
        self._url = api.url
        self.session = OAuth2Session(
            application["client_id"],
            application["client_secret"],
            redirect_uri=REDIRECT_URI,
            scope="read write:likes",
            **options,
        )

    async def call(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Run a function of the library, which blocks, in a thread."""
        return await asyncio.to_thread(function, *arguments, **options)
