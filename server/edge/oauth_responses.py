"""Models of response bodies about applications and their tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from server.edge.responses import Id, ResponseModel, Time
from server.edge.security_responses import SessionId
from server.identity.redirect_uris import OUT_OF_BAND, host_of
from server.identity.scopes import DESCRIPTIONS
from storage.ids import encode
from storage.oauth import Application, ConnectedApplication, PersonalToken
from storage.render.timestamps import timestamp

_ABSENT_WITHOUT_SECRET = "Only in the response that has made it."  # noqa: S105 - a description


class ScopeResponse(ResponseModel):
    """A scope, and what it permits, as the end of the sentence "It may …"."""

    name: str
    description: str


def scopes_of(names: Iterable[str]) -> list[ScopeResponse]:
    """Return scopes with their descriptions."""
    return [ScopeResponse(name=name, description=DESCRIPTIONS.get(name, "")) for name in names]


class ApplicationResponse(ResponseModel):
    """An application of the viewer's own. `client_secret` is shown once."""

    client_id: Id
    client_secret: Annotated[str | None, Field(description=_ABSENT_WITHOUT_SECRET)] = None
    name: str
    website: str
    redirect_uris: list[str]
    scopes: list[str]
    confidential: bool
    refreshes: bool
    created_at: Time

    @classmethod
    def from_model(cls, application: Application, *, secret: str | None = None) -> ApplicationResponse:
        """Return the response for an application, with its new secret if there is one."""
        return cls(
            client_id=encode(application.id),
            client_secret=secret,
            name=application.name,
            website=application.website,
            redirect_uris=list(application.redirect_uris),
            scopes=list(application.scopes),
            confidential=application.confidential,
            refreshes=application.refreshes,
            created_at=timestamp(application.created_at),
        )


class ApplicationsResponse(ResponseModel):
    """The applications of the viewer, in the order of their registration."""

    items: list[ApplicationResponse]
    next: None = None


class ShownApplicationResponse(ResponseModel):
    """An application as its users see it; `website_host` is null if it has named no website."""

    client_id: Id
    name: str
    website: str | None
    website_host: str | None

    @classmethod
    def from_model(cls, application: Application) -> ShownApplicationResponse:
        """Return the response for an application."""
        return cls(
            client_id=encode(application.id),
            name=application.name,
            website=application.website or None,
            website_host=urlsplit(application.website).hostname or None,
        )


class AuthorizationResponse(ResponseModel):
    """What an application asks for; `returns_to` is the host or scheme that gets the answer, null for a copied code.

    A request that is not valid has only `problem`, `returns_to`, and `redirect_to`, where the application is informed
    of the problem. Browsers go there only if the user wants it: any application could otherwise use this service to
    lead users to its own address (RFC 9700, section 4.11.2).
    """

    application: ShownApplicationResponse | None = None
    scopes: list[ScopeResponse] = Field(default_factory=list)
    returns_to: str | None = None
    problem: str | None = None
    redirect_to: str | None = None

    @classmethod
    def of_problem(cls, problem: str, redirect_to: str) -> AuthorizationResponse:
        """Return the response for a request that is not valid."""
        return cls(problem=problem, returns_to=host_of(redirect_to), redirect_to=redirect_to)

    @classmethod
    def from_model(cls, application: Application, scopes: Iterable[str], redirect_uri: str) -> AuthorizationResponse:
        """Return the response for a valid request."""
        return cls(
            application=ShownApplicationResponse.from_model(application),
            scopes=scopes_of(scopes),
            returns_to=None if redirect_uri == OUT_OF_BAND else host_of(redirect_uri),
        )


class AuthorizationAnswerResponse(ResponseModel):
    """Where the browser goes now. An application without an address gets the `code` from the user, who copies it."""

    redirect_to: str | None
    code: str | None


class ConnectedApplicationResponse(ResponseModel):
    """An application that has access to the viewer's account."""

    application: ShownApplicationResponse
    scopes: list[ScopeResponse]
    granted_at: Time
    last_used_at: Time | None

    @classmethod
    def from_model(cls, connected: ConnectedApplication) -> ConnectedApplicationResponse:
        """Return the response for a connected application."""
        return cls(
            application=ShownApplicationResponse.from_model(connected.application),
            scopes=scopes_of(connected.scopes),
            granted_at=timestamp(connected.granted_at),
            last_used_at=None if connected.last_used_at is None else timestamp(connected.last_used_at),
        )


class ConnectedApplicationsResponse(ResponseModel):
    """The applications that have access to the viewer's account, the one that got it last first."""

    items: list[ConnectedApplicationResponse]
    next: None = None


class PersonalTokenResponse(ResponseModel):
    """A personal access token of the viewer. `token` is shown once."""

    id: SessionId
    token: Annotated[str | None, Field(description=_ABSENT_WITHOUT_SECRET)] = None
    name: str
    scopes: list[str]
    created_at: Time
    last_used_at: Time | None
    expires_at: Time | None

    @classmethod
    def from_model(cls, token: PersonalToken, *, text: str | None = None) -> PersonalTokenResponse:
        """Return the response for a token, with its text if it is new."""
        return cls(
            id=token.session,
            token=text,
            name=token.name,
            scopes=list(token.scopes),
            created_at=timestamp(token.created_at),
            last_used_at=None if token.last_used_at is None else timestamp(token.last_used_at),
            expires_at=None if token.expires_at is None else timestamp(token.expires_at),
        )


class PersonalTokensResponse(ResponseModel):
    """The personal access tokens of the viewer, the newest first, and the scopes that one can have."""

    items: list[PersonalTokenResponse]
    scopes: list[ScopeResponse]
    next: None = None
