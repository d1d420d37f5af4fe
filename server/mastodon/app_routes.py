"""`/api/v1/apps`: an app registers itself, and reads its own registration."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator

from server.actions.applications import ApplicationActions
from server.edge.endpoint import Auth
from server.edge.oauth_requests import ApplicationScopes, Name, RedirectUris, Website
from server.edge.problem import sign_in_required, unauthorized
from server.edge.requests import QueryModel
from server.identity.api_tokens import ApiTokens
from server.identity.tokens import TokenError
from server.mastodon.accounts import Entity
from server.mastodon.endpoint import Route, route
from server.mastodon.request import MastodonRequest, respond
from storage.ids import encode
from storage.oauth import Application
from storage.postgres.database import Queryable
from storage.stores.credentials import oauth_clients
from storage.stores.credentials.oauth_clients import ApplicationFields


def _lines(value: Any) -> Any:
    # One text with a URI in each line, as before Mastodon 4.3, or a list.
    return value.split() if isinstance(value, str) else value


class AppForm(QueryModel):
    """An app: its name, where its users return to, and what it may ask for."""

    client_name: Name
    redirect_uris: Annotated[RedirectUris, BeforeValidator(_lines)]
    scopes: Annotated[ApplicationScopes, BeforeValidator(lambda value: _lines(value) or ["read"])] = ["read"]  # noqa: RUF012
    website: Annotated[Website, BeforeValidator(lambda value: value or "")] = ""


class AppRoutes:
    """Registration of apps; `push_key` is the public key of push messages, "" if none are sent."""

    def __init__(self, db: Queryable, actions: ApplicationActions, tokens: ApiTokens, push_key: str) -> None:
        self._db = db
        self._actions = actions
        self._tokens = tokens
        self._push_key = push_key

    def routes(self) -> list[Route]:
        """Return the routes."""
        path = "/api/v1/apps"
        return [
            route("POST", path, self.register, auth=Auth.NONE, stores=True),
            route("GET", f"{path}/verify_credentials", self.verify, auth=Auth.OPTIONAL),
        ]

    async def register(self, request: MastodonRequest) -> web.Response:
        """Register an app, which is charged to its network address."""
        form = await request.form(AppForm)
        request.report_rate_limit(await self._actions.charge_registration(request.address))
        fields = ApplicationFields(
            name=form.client_name, website=form.website, redirect_uris=form.redirect_uris, scopes=form.scopes
        )
        registered = await self._actions.register(None, fields, confidential=True)
        entity = {
            **self._entity(registered.application),
            "client_id": encode(registered.application.id),
            "client_secret": registered.secret,
            "client_secret_expires_at": 0,
        }
        return respond(entity)

    async def verify(self, request: MastodonRequest) -> web.Response:
        """Return the app of a token, also of one that it has without a user."""
        kind, _, token = request.http.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise sign_in_required()
        try:
            found = await self._tokens.find(token.strip(), address=request.address)
        except TokenError as error:
            raise unauthorized("invalid_token", str(error)) from error
        if found.client_id is None:
            raise unauthorized("invalid_token", "This is no token of an app.")
        return respond(self._entity(await oauth_clients.get(self._db, found.client_id)))

    def _entity(self, application: Application) -> Entity:
        uris = list(application.redirect_uris)
        return {
            "id": str(application.id),
            "name": application.name,
            "website": application.website or None,
            "scopes": list(application.scopes),
            "redirect_uris": uris,
            "redirect_uri": "\n".join(uris),
            "vapid_key": self._push_key,
        }
