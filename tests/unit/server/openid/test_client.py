"""The client of a provider, against a provider of our own that lies, fails and hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import orjson
import pytest
import pytest_asyncio

from server.openid.client import CIRCUIT, KEPT, ProviderClient, SignInRequest
from server.openid.errors import ProviderResponseError, ProviderUnavailableError
from server.openid.id_tokens import IdClaims
from server.openid.provider import ProviderSettings, parse_metadata
from storage.circuit import Circuit
from tests.support.issuer import ADA, CLIENT_ID, CLIENT_SECRET, Issuer, SigningKey, running_issuer

REQUEST = SignInRequest(state="state", nonce="nonce", verifier="v" * 64, redirect_uri="https://pics.example/back")


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """A provider that is honest unless a test changes it."""
    async with running_issuer() as running:
        yield running


def client_of(issuer: Issuer, **settings: Any) -> ProviderClient:
    """Return a client of a provider."""
    fields = {"client_secret": CLIENT_SECRET, "private": True, "timeout": 5.0, **settings}
    provider = ProviderSettings(name="id", label="ID", issuer=issuer.url, client_id=CLIENT_ID, **fields)
    return ProviderClient(provider, Circuit("oidc:id", CIRCUIT))


async def signed_in(issuer: Issuer, client: ProviderClient, request: SignInRequest = REQUEST) -> IdClaims:
    """Sign in at the provider, and return what it says about the user."""
    back = issuer.authorize(await client.authorization_url(request))
    return await client.claims(back.split("code=")[1].split("&")[0], request)


@pytest.mark.parametrize("metadata", [{}, {"token_endpoint_auth_methods_supported": ["client_secret_post"]}])
async def test_a_sign_in(issuer: Issuer, metadata: dict[str, Any]) -> None:
    """The claims of the user are returned; the client authenticates in the way that the provider supports."""
    issuer.metadata = metadata
    client = client_of(issuer)
    claims = await signed_in(issuer, client)
    assert claims == IdClaims(
        subject="ada-1815", email="ada@id.example", email_verified=True, name="Ada Lovelace", username="ada"
    )
    await signed_in(issuer, client)
    assert issuer.requests == ["/.well-known/openid-configuration", "/token", "/keys", "/token"]


async def test_an_rsa_key_without_an_id(issuer: Issuer) -> None:
    """A provider with one key need not name it."""
    key = SigningKey("rsa", "RS256")
    issuer.keys = [key]
    issuer.token = lambda claims: jwt.encode(claims, key.private, "RS256")
    assert (await signed_in(issuer, client_of(issuer))).subject == "ada-1815"


def _without_signature(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none")


def _signed_with_the_public_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, b"x" * 64, "HS256", headers={"kid": "first"})


def _with_extensions(claims: dict[str, Any]) -> str:
    return SigningKey("first").sign(claims, crit=["b64"], b64=True)


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"iss": "https://other.example"}, "issuer"),
        ({"iss": None}, "claims"),
        ({"aud": "another client"}, "audience"),
        ({"aud": [CLIENT_ID, "another client"]}, "audience"),
        ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "audience"),
        ({"azp": "another client"}, "audience"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": 5}, "nonce"),
        ({"exp": int(time.time()) - 3600}, "expired"),
        ({"exp": None}, "claims"),
        ({"iat": int(time.time()) + 3600}, "not_yet_valid"),
        ({"sub": None}, "claims"),
        ({"sub": ""}, "claims"),
        ({"sub": "x" * 256}, "claims"),
        ({"sub": 5}, "claims"),
        (_without_signature, "algorithm"),
        (_signed_with_the_public_key, "algorithm"),
        (_with_extensions, "format"),
        (SigningKey("first").sign, "signature"),
        (SigningKey("unknown").sign, "unknown_key"),
        (lambda _: "no token", "format"),
        (lambda _: "x" * 20_000, "format"),
        (lambda _: None, "claims"),
    ],
)
async def test_a_lie_is_not_believed(issuer: Issuer, lie: Any, reason: str) -> None:
    """A token that is not from this provider, for this client and this sign-in, and of now, names no user."""
    if callable(lie):
        issuer.token = lie
    else:
        issuer.claims = lie
    with pytest.raises(ProviderResponseError) as caught:
        await signed_in(issuer, client_of(issuer))
    assert caught.value.reason == reason


async def test_several_audiences_need_the_authorized_party(issuer: Issuer) -> None:
    """If that is this client, the token is for it."""
    issuer.claims = {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}
    assert (await signed_in(issuer, client_of(issuer))).subject == "ada-1815"


@pytest.mark.parametrize(
    ("verified", "believed"), [(True, True), ("true", True), (False, False), (None, False), (1, False)]
)
async def test_an_address_is_verified_if_the_provider_says_so(issuer: Issuer, verified: Any, believed: bool) -> None:
    """No other value than true is one."""
    issuer.claims = {"email_verified": verified}
    assert (await signed_in(issuer, client_of(issuer))).email_verified is believed


async def test_new_keys_are_fetched_once(issuer: Issuer) -> None:
    """A token with an unknown key makes the client fetch the keys again, and no more than once."""
    client = client_of(issuer)
    await signed_in(issuer, client)
    issuer.keys = [SigningKey("second")]
    assert (await signed_in(issuer, client)).subject == "ada-1815"
    assert issuer.requests.count("/keys") == 2
    issuer.token = SigningKey("third").sign
    with pytest.raises(ProviderResponseError, match="0 keys fit"):
        await signed_in(issuer, client)
    assert issuer.requests.count("/keys") == 3


async def test_documents_are_kept_for_an_hour(issuer: Issuer) -> None:
    """Then they are fetched again, by one of all that need them."""
    now = 0.0
    provider = ProviderSettings(name="id", label="", issuer=issuer.url, client_id=CLIENT_ID, private=True)
    client = ProviderClient(provider, Circuit(), clock=lambda: now)
    await asyncio.gather(*(client.keys() for _ in range(5)))
    now = KEPT - 1
    await client.keys()
    assert len(issuer.requests) == 2
    now = KEPT
    await asyncio.gather(*(client.keys() for _ in range(5)))
    assert len(issuer.requests) == 4


async def test_a_code_needs_its_verifier(issuer: Issuer) -> None:
    """A code that was stolen is worth nothing for another sign-in (PKCE), and each is used once."""
    client = client_of(issuer)
    back = issuer.authorize(await client.authorization_url(REQUEST))
    code = back.split("code=")[1].split("&")[0]
    other = SignInRequest(state="s", nonce="nonce", verifier="w" * 64, redirect_uri=REQUEST.redirect_uri)
    for request in (other, REQUEST):
        with pytest.raises(ProviderResponseError, match="400 and invalid_grant"):
            await client.claims(code, request)


async def test_userinfo_is_asked_where_the_id_token_has_no_address(issuer: Issuer) -> None:
    """And believed only about the same user."""
    issuer.user, issuer.userinfo = {"sub": "ada-1815"}, dict(ADA)
    assert (await signed_in(issuer, client_of(issuer))).email == "ada@id.example"
    issuer.userinfo = {**ADA, "sub": "eve"}
    with pytest.raises(ProviderResponseError, match="another subject"):
        await signed_in(issuer, client_of(issuer))


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://other.example"}, "issuer"),
        ({"issuer": None}, "issuer"),
        ({"token_endpoint": None}, "format"),
        ({"token_endpoint": 5}, "format"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "address"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "algorithm"),
        ({"id_token_signing_alg_values_supported": "ES256"}, "format"),
    ],
)
async def test_a_discovery_document_that_is_not_valid(issuer: Issuer, metadata: dict[str, Any], reason: str) -> None:
    """Nothing is sent to a provider whose document is of another one, or that PicShare cannot use safely."""
    issuer.metadata = metadata
    with pytest.raises(ProviderResponseError) as caught:
        await client_of(issuer).authorization_url(REQUEST)
    assert caught.value.reason == reason


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{}", 500, ProviderUnavailableError),
        (b"{}", 404, ProviderResponseError),
        (b"x" * 300_000, 200, ProviderResponseError),
        (b"[" * 100_000, 200, ProviderResponseError),
        (b"[]", 200, ProviderResponseError),
        (b"", 302, ProviderResponseError),
    ],
)
async def test_a_response_that_is_not_one(
    issuer: Issuer, path: str, body: bytes, status: int, kind: type[Exception]
) -> None:
    """Errors, redirects, garbage and endless responses end the sign-in."""
    issuer.bodies[path], issuer.statuses[path] = body, status
    with pytest.raises(kind):
        await signed_in(issuer, client_of(issuer))


async def test_a_provider_that_hangs(issuer: Issuer) -> None:
    """All who wait get the same error after the deadline, and after some failures nothing is sent any more."""
    issuer.hanging = {"/.well-known/openid-configuration"}
    client = client_of(issuer, timeout=1.0)
    started = time.monotonic()
    found = await asyncio.gather(*(client.metadata() for _ in range(20)), return_exceptions=True)
    assert time.monotonic() - started < 10  # and not a second for each
    assert {type(error) for error in found} == {ProviderUnavailableError}
    assert len(issuer.requests) == 1
    for _ in range(6):
        with pytest.raises(ProviderUnavailableError):
            await client.metadata()
    assert len(issuer.requests) == 5


async def test_a_provider_that_is_not_private_has_public_addresses(issuer: Issuer) -> None:
    """Neither the issuer nor what its document names may lead into the operator's network."""
    client = client_of(issuer, private=False)
    with pytest.raises(ProviderUnavailableError, match="should begin with https"):
        await client.metadata()
    assert issuer.requests == []
    provider = ProviderSettings(name="id", label="", issuer="https://id.example:9443", client_id=CLIENT_ID)
    document = {
        "issuer": provider.issuer,
        "authorization_endpoint": "https://id.example:9443/authorize",
        "token_endpoint": "https://tokens.example/token",
        "jwks_uri": "https://10.0.0.5/keys",
    }
    with pytest.raises(ProviderResponseError, match=r"jwks_uri.*10\.0\.0\.5 is not a public one"):
        parse_metadata(orjson.dumps(document), provider)
    found = parse_metadata(orjson.dumps({**document, "jwks_uri": "https://id.example:9443/keys"}), provider)
    assert found.algorithms == {"RS256"}
