"""Models of request bodies about applications and their tokens."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from server.edge.requests import RequestModel
from server.identity import redirect_uris
from server.identity.scopes import DESCRIPTIONS, MODERATION
from storage import texts


def _known(scopes: list[str]) -> list[str]:
    unknown = [scope for scope in scopes if scope not in DESCRIPTIONS]
    if unknown:
        raise ValueError(f"There is no scope {unknown[0][:40]!r}.")
    return list(dict.fromkeys(scopes))


def _for_applications(scopes: list[str]) -> list[str]:
    if MODERATION in scopes:
        raise ValueError(f"The scope {MODERATION} is for personal access tokens alone.")
    return scopes


def _website(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable() or " " in text):
        raise ValueError("Use the http or https address of the application's website.")
    return text


Name = Annotated[str, Field(max_length=60), AfterValidator(texts.single_line), Field(min_length=1)]
Scopes = Annotated[list[str], Field(min_length=1, max_length=40), AfterValidator(_known)]
ApplicationScopes = Annotated[Scopes, AfterValidator(_for_applications)]
RedirectUri = Annotated[str, AfterValidator(redirect_uris.checked)]
RedirectUris = Annotated[list[RedirectUri], Field(min_length=1, max_length=redirect_uris.MOST)]
Website = Annotated[str, Field(max_length=300), AfterValidator(_website)]
Query = Annotated[str, Field(max_length=8000, description="The query of the request for authorization, unchanged.")]


class ApplicationUpdate(RequestModel):
    """What is registered of an application; with `refreshes` its tokens expire after an hour, and it refreshes them."""

    name: Name
    website: Website = ""
    redirect_uris: RedirectUris
    scopes: ApplicationScopes
    refreshes: bool = False


class ApplicationCreate(ApplicationUpdate):
    """A new application; a `confidential` one, which runs on a server of its own, gets a secret."""

    confidential: bool = True


class AuthorizationAnswer(RequestModel):
    """The user's answer to a request for authorization."""

    request: Query
    approve: bool


class TokenCreate(RequestModel):
    """A new personal access token, which expires after so many days, or with null not at all."""

    name: Name
    scopes: Scopes
    expires_in_days: Literal[7, 30, 90, 365] | None = 90
