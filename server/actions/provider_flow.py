"""The way of a browser to a provider and back: what it is sent with, and the user named on its return."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from server.actions.provider_metrics import NoProviderMetrics, ProviderMetrics
from server.identity.errors import ProviderRefusedError, SignInExpiredError
from server.openid.client import ProviderClient, SignInRequest
from server.openid.errors import ProviderError, ProviderResponseError, ProviderUnavailableError
from server.openid.id_tokens import IdClaims
from server.openid.provider import ProviderSettings
from storage.errors import NotFoundError, UnavailableError
from storage.limits.provider_sign_ins import ProviderSignIns

MAX_PARAMETER = 4096  # characters of a code, or of another value in the query of a return

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Departure:
    """Where a browser is sent, and the secret that it keeps in a cookie until it returns."""

    url: str
    browser: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """What a provider adds to the address of a return; texts are empty if they are missing."""

    state: str
    code: str
    error: str
    issuer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """The identity that a provider has named; `linked_to` is the user who wants to link it, None for a sign-in."""

    provider: str
    linked_to: int | None
    claims: IdClaims

    def payload(self) -> dict[str, Any]:
        """Return this as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Named:
        """Return what `payload` was made of."""
        return cls(**{**payload, "claims": IdClaims(**payload["claims"])})


class ProviderFlow:
    """Sign-ins with providers, up to the return; `public_url` is that of this service.

    A return is accepted once, from the browser that was sent, and from the provider to which it was sent.
    """

    def __init__(
        self,
        clients: Sequence[ProviderClient],
        sign_ins: ProviderSignIns,
        *,
        public_url: str,
        metrics: ProviderMetrics | None = None,
    ) -> None:
        self._clients = {client.settings.name: client for client in clients}
        self.sign_ins = sign_ins
        self._public_url = public_url
        self.metrics = metrics or NoProviderMetrics()

    @property
    def providers(self) -> Sequence[ProviderSettings]:
        """Return the providers, in the order of the settings."""
        return [client.settings for client in self._clients.values()]

    def provider(self, name: str) -> ProviderSettings:
        """Return a provider; raise `NotFoundError("provider")`."""
        return self._client(name).settings

    async def depart(self, name: str, *, linked_to: int | None = None) -> Departure:
        """Return where a browser has to go to sign in with a provider, or to link it with an account.

        Raises `NotFoundError("provider")`, `ProviderUnavailableError` and `ProviderResponseError`.
        """
        client = self._client(name)
        request = SignInRequest(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=self._redirect_uri(name),
        )
        browser = secrets.token_urlsafe(32)
        try:
            url = await client.authorization_url(request)
        except ProviderError as error:
            self._failed(name, error)
            raise
        await self.sign_ins.start(
            request.state,
            {
                "provider": name,
                "linked_to": linked_to,
                "browser": _digest(browser),
                "nonce": request.nonce,
                "verifier": request.verifier,
            },
        )
        return Departure(url=url, browser=browser)

    async def arrive(self, name: str, arrival: Arrival, *, browser: str | None) -> tuple[str, Named]:
        """Verify a return; return the token under which the named identity is kept, and the identity.

        Raises `NotFoundError("provider")`, `SignInExpiredError`, `ProviderRefusedError`, `ProviderUnavailableError` and
        `ProviderResponseError`.
        """
        client = self._client(name)
        try:
            named = await self._named(client, arrival, browser)
        except (ProviderError, SignInExpiredError, ProviderRefusedError) as error:
            self._failed(name, error)
            raise
        return await self.sign_ins.keep_returned(named.payload()), named

    async def _named(self, client: ProviderClient, arrival: Arrival, browser: str | None) -> Named:
        name = client.settings.name
        # First of all, so that a second use finds nothing, whatever the first one has brought.
        started = await self.sign_ins.take_started(arrival.state) if arrival.state else None
        if started is None or started["provider"] != name:
            raise SignInExpiredError
        if browser is None or not hmac.compare_digest(_digest(browser), started["browser"]):
            raise SignInExpiredError
        await self._require_issuer(client, arrival.issuer)
        if arrival.error or not arrival.code:
            raise ProviderRefusedError
        request = SignInRequest(
            state=arrival.state,
            nonce=started["nonce"],
            verifier=started["verifier"],
            redirect_uri=self._redirect_uri(name),
        )
        claims = await client.claims(arrival.code, request)
        return Named(provider=name, linked_to=started["linked_to"], claims=claims)

    async def _require_issuer(self, client: ProviderClient, issuer: str) -> None:
        # RFC 9207: the response of another provider, to which the user was sent by an attack, names that one.
        if issuer == client.settings.issuer or (not issuer and not (await client.metadata()).names_itself):
            return
        raise ProviderResponseError("issuer", f"the return names the issuer {issuer[:200]!r}")

    def _client(self, name: str) -> ProviderClient:
        client = self._clients.get(name)
        if client is None:
            raise NotFoundError("provider")
        return client

    def _redirect_uri(self, name: str) -> str:
        return f"{self._public_url}/api/v1/oidc/{name}/callback"

    def _failed(self, name: str, error: Exception) -> None:
        outcome = outcome_of(error)
        self.metrics.provider_sign_in(name, outcome)
        reason = error.reason if isinstance(error, ProviderError) else outcome
        log.warning("provider_sign_in_failed", provider=name, reason=reason, error=str(error))


def outcome_of(error: Exception) -> str:
    """Return why a sign-in has failed, as one of the few words that the page and the metrics know."""
    match error:
        case ProviderUnavailableError() | UnavailableError():
            return "unavailable"
        case ProviderRefusedError():
            return "refused"
        case SignInExpiredError():
            return "expired"
        case _:
            return "invalid"


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode(errors="surrogateescape")).hexdigest()
