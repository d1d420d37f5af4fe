"""A provider as the operator configures it, and as its document describes it (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from yarl import URL

from server.openid.algorithms import ALGORITHMS
from server.openid.errors import ProviderResponseError
from workers.outbound.errors import UrlRefusedError
from workers.outbound.policy import TRUSTED, OutboundPolicy
from workers.outbound.urls import check_url

METADATA_PATH = "/.well-known/openid-configuration"
_DEFAULT_ALGORITHM = "RS256"  # every provider has to support it
_BODY, _HEADER = "client_secret_post", "client_secret_basic"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderSettings:
    """A provider; `name` is part of URLs, `label` is shown to users, `timeout` in seconds.

    Without a `client_secret` PicShare is a public client, which PKCE alone protects. One that is `private` may have
    addresses that are not public, and http.
    """

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    private: bool = False
    timeout: float = 10.0

    @property
    def policy(self) -> OutboundPolicy:
        """Return where requests to this provider may go: the discovery document names further hosts."""
        if self.private:
            return TRUSTED
        default = OutboundPolicy()
        return OutboundPolicy(ports=(default.ports or frozenset()) | {URL(self.issuer).port or 443})

    @property
    def metadata_url(self) -> str:
        """Return the address of the discovery document."""
        return self.issuer.removesuffix("/") + METADATA_PATH


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderMetadata:
    """What a provider's discovery document says.

    With `names_itself` each of its responses to a sign-in has `iss` (RFC 9207); with `secret_in_body` it does not take
    the client's secret in the header `Authorization`.
    """

    authorization_endpoint: str
    token_endpoint: str
    keys_url: str
    userinfo_endpoint: str | None
    algorithms: frozenset[str]
    names_itself: bool
    secret_in_body: bool
    challenge_methods: tuple[str, ...] | None


def parse_metadata(body: bytes, provider: ProviderSettings) -> ProviderMetadata:
    """Return what a discovery document says; raise `ProviderResponseError`."""
    document = json_object(body, "discovery document")
    issuer = document.get("issuer")
    if issuer != provider.issuer:
        raise ProviderResponseError(
            "issuer", f"the discovery document is of the issuer {str(issuer)[:200]!r}, not {provider.issuer!r}"
        )
    supported = _texts(document, "id_token_signing_alg_values_supported") or (_DEFAULT_ALGORITHM,)
    algorithms = frozenset(supported) & frozenset(ALGORITHMS)
    if not algorithms:
        raise ProviderResponseError("algorithm", f"the provider signs with {', '.join(supported)[:200]} alone")
    methods = _texts(document, "token_endpoint_auth_methods_supported") or (_HEADER,)
    return ProviderMetadata(
        authorization_endpoint=_url(document, "authorization_endpoint", provider),
        token_endpoint=_url(document, "token_endpoint", provider),
        keys_url=_url(document, "jwks_uri", provider),
        userinfo_endpoint=(
            _url(document, "userinfo_endpoint", provider) if document.get("userinfo_endpoint") is not None else None
        ),
        algorithms=algorithms,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        secret_in_body=_BODY in methods and _HEADER not in methods,
        challenge_methods=_texts(document, "code_challenge_methods_supported"),
    )


def json_object(body: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object; raise `ProviderResponseError` for anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProviderResponseError("format", f"the {what} is not JSON") from error
    if not isinstance(document, dict):
        raise ProviderResponseError("format", f"the {what} is no JSON object")
    return document


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ProviderResponseError("format", f"{name} of the discovery document is no list of texts")
    return tuple(value)


def _url(document: Mapping[str, Any], name: str, provider: ProviderSettings) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ProviderResponseError("format", f"the discovery document has no {name}")
    try:
        # The browser is sent to one of them, so it must not be a script either.
        check_url(value, provider.policy)
    except UrlRefusedError as error:
        raise ProviderResponseError("address", f"{name} of the discovery document: {error}") from error
    return value
