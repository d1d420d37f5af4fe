"""The client of a provider: its documents, the address at which users sign in, and the exchange of a code.

Requests go through the guard of outward calls. The documents are kept for an hour; keys are fetched again at once when
a token is signed with one that is not known, since a provider may have new ones at any time.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote_plus, urlencode

from yarl import URL

from server.openid.errors import ProviderError, ProviderResponseError, ProviderUnavailableError
from server.openid.id_tokens import IdClaims, about_user, verify
from server.openid.keys import ProviderKeys, UnknownKeyError
from server.openid.provider import ProviderMetadata, ProviderSettings, json_object, parse_metadata
from storage.circuit import Circuit, CircuitPolicy
from workers.outbound.client import OutboundClient, OutboundResponse
from workers.outbound.errors import OutboundError

CIRCUIT = CircuitPolicy(failures=5, pause=10.0, max_pause=120.0)
KEPT = 3600.0  # seconds
MAX_DOCUMENT = 256 * 1024  # bytes
_CONCURRENCY = 20
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_JSON = {"Accept": "application/json"}

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInRequest:
    """The secrets of one sign-in: `state` and `nonce` bind responses to it, `verifier` the code (PKCE, RFC 7636)."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str

    @property
    def challenge(self) -> str:
        """Return the challenge of the verifier, by the method S256."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Kept(Generic[T]):
    """A document that is fetched once, by one task for all, and kept for a while."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._until = 0.0
        self._fetches = 0
        self._failure: ProviderError | None = None

    async def get(self, *, other_than: T | None = None) -> T:
        """Return the document, not `other_than`, which is one that did not help."""
        number = self._fetches
        async with self._lock:
            if self._value is not None and self._value is not other_than and self._clock() < self._until:
                return self._value
            # A task that has waited for a fetch that failed gets its error. Otherwise each of them would ask a provider
            # that hangs, one after the other.
            if self._failure is not None and self._fetches > number:
                raise self._failure
            self._failure = None
            try:
                self._value = await self._fetch()
            except ProviderError as error:
                self._failure = error
                raise
            finally:
                self._fetches += 1
            self._until = self._clock() + KEPT
            return self._value


class ProviderClient:
    """Client of one provider; every method raises `ProviderUnavailableError` and `ProviderResponseError`."""

    def __init__(
        self, provider: ProviderSettings, circuit: Circuit, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = provider
        self._circuit = circuit
        self._turns = asyncio.Semaphore(_CONCURRENCY)
        self._metadata = _Kept(self._fetch_metadata, clock)
        self._keys = _Kept(self._fetch_keys, clock)

    async def metadata(self) -> ProviderMetadata:
        """Return what the discovery document says."""
        return await self._metadata.get()

    async def keys(self) -> ProviderKeys:
        """Return the keys with which the provider signs."""
        return await self._keys.get()

    async def authorization_url(self, request: SignInRequest) -> str:
        """Return the address at which the user signs in."""
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": request.state,
            "nonce": request.nonce,
            "code_challenge": request.challenge,
            "code_challenge_method": "S256",
        }
        return str(URL((await self.metadata()).authorization_endpoint).update_query(query))

    async def claims(self, code: str, request: SignInRequest) -> IdClaims:
        """Exchange a code, and return the verified claims about the user."""
        metadata = await self.metadata()
        tokens = await self._tokens(metadata, code, request)
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise ProviderResponseError("claims", "the provider has sent no ID token")
        keys = await self.keys()
        try:
            claims = self._verified(token, keys, metadata, request)
        except UnknownKeyError:
            claims = self._verified(token, await self._keys.get(other_than=keys), metadata, request)
        return claims if claims.email else await self._with_userinfo(claims, tokens, metadata)

    def _verified(self, token: str, keys: ProviderKeys, metadata: ProviderMetadata, request: SignInRequest) -> IdClaims:
        return verify(
            token,
            keys,
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=request.nonce,
            algorithms=metadata.algorithms,
        )

    async def _tokens(self, metadata: ProviderMetadata, code: str, request: SignInRequest) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": request.redirect_uri,
            "code_verifier": request.verifier,
        }
        headers = {**_JSON, "Content-Type": "application/x-www-form-urlencoded"}
        client_id, secret = self.settings.client_id, self.settings.client_secret
        if secret is not None and not metadata.secret_in_body:
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client_id} | ({} if secret is None else {"client_secret": secret})
        response = await self._send("POST", metadata.token_endpoint, headers, body=urlencode(form).encode())
        return json_object(_body(response, "token endpoint"), "response of the token endpoint")

    async def _with_userinfo(self, claims: IdClaims, tokens: Mapping[str, Any], metadata: ProviderMetadata) -> IdClaims:
        """Return the claims of the userinfo endpoint, for providers that leave them out of the ID token."""
        token = tokens.get("access_token")
        if metadata.userinfo_endpoint is None or not isinstance(token, str) or not token.isprintable():
            return claims
        headers = {**_JSON, "Authorization": f"Bearer {token}"}
        response = await self._send("GET", metadata.userinfo_endpoint, headers)
        found = about_user(json_object(_body(response, "userinfo endpoint"), "response of the userinfo endpoint"))
        if found.subject != claims.subject:
            raise ProviderResponseError("claims", "the userinfo endpoint names another subject than the ID token")
        return found

    async def _fetch_metadata(self) -> ProviderMetadata:
        response = await self._send("GET", self.settings.metadata_url, _JSON)
        return parse_metadata(_body(response, "discovery document"), self.settings)

    async def _fetch_keys(self) -> ProviderKeys:
        response = await self._send("GET", (await self.metadata()).keys_url, _JSON)
        return ProviderKeys.parse(_body(response, "key set"))

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], *, body: bytes | None = None
    ) -> OutboundResponse:
        # Sign-ins with a provider are few, so that no connection is kept for them.
        async with self._turns, OutboundClient(self.settings.policy, name=self._circuit.name) as client:
            try:
                response = await client.send(
                    method,
                    url,
                    body=body,
                    headers=headers,
                    timeout=self.settings.timeout,
                    max_response=MAX_DOCUMENT,
                    circuit=self._circuit,
                )
            except OutboundError as error:
                raise ProviderUnavailableError(error.reason, str(error)) from error
        if response.status >= 500 or response.status == 429:
            raise ProviderUnavailableError("status", f"{URL(url).raw_host} responds with {response.status}")
        return response


def _body(response: OutboundResponse, what: str) -> bytes:
    if response.truncated:
        raise ProviderResponseError("size", f"the response of the {what} has more than {MAX_DOCUMENT} bytes")
    if response.status != 200:
        raise ProviderResponseError("status", f"the {what} responds with {response.status}{_code_in(response.body)}")
    return response.body


def _code_in(body: bytes) -> str:
    """Return the code of an OAuth error, as `invalid_grant`; nothing else that the peer says."""
    try:
        code = json_object(body, "error").get("error")
    except ProviderResponseError:
        return ""
    return f" and {code}" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
