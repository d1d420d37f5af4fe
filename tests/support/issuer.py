"""A small OpenID provider on this machine, which can be made to lie, to fail and to hang."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from yarl import URL

CLIENT_ID, CLIENT_SECRET = "picshare", "a secret & more"
ADA: Mapping[str, Any] = {
    "sub": "ada-1815",
    "email": "ada@id.example",
    "email_verified": True,
    "name": "Ada Lovelace",
    "preferred_username": "ada",
}


class SigningKey:
    """A private key, and its public part as a JSON Web Key."""

    def __init__(self, key_id: str, algorithm: str = "ES256") -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        # An RSA key takes long to make, so that most tests use the other kind.
        self.private: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if algorithm == "ES256"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )

    @property
    def public(self) -> dict[str, Any]:
        """Return the public key as a member of a key set."""
        kind = jwt.get_algorithm_by_name(self.algorithm)
        return {
            **json.loads(kind.to_jwk(self.private.public_key())),
            "kid": self.key_id,
            "use": "sig",
            "alg": self.algorithm,
        }

    def sign(self, claims: Mapping[str, Any], **headers: Any) -> str:
        """Return a JWT."""
        return jwt.encode(dict(claims), self.private, self.algorithm, headers={"kid": self.key_id, **headers})


KEY = SigningKey("first")


@dataclass(kw_only=True)
class Issuer:
    """What the provider does: honest by default.

    `claims` and `user` replace claims of the ID token; None leaves one out. `metadata` replaces members of the
    discovery document. `token` makes the ID token otherwise. `statuses` and `bodies` are those of paths that fail.
    """

    url: str = ""
    keys: list[SigningKey] = field(default_factory=lambda: [KEY])
    user: dict[str, Any] = field(default_factory=lambda: dict(ADA))
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    token: Any = None
    denies: bool = False
    statuses: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the provider as a table of the settings."""
        return {
            "name": "id",
            "label": "Example ID",
            "private": True,
            "issuer": self.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }

    def authorize(self, url: str) -> str:
        """Sign the user in at an authorization address, as a browser does; return the address it is sent back to."""
        query = dict(URL(url).query)
        back = URL(query["redirect_uri"])
        if self.denies:
            return str(back.update_query(error="access_denied", error_description="No.", state=query["state"]))
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        return str(back.update_query(code=code, state=query["state"], iss=self.url, session_state="x"))

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._userinfo)
        return app

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256", "none"],
            "code_challenge_methods_supported": ["S256"],
            **({"userinfo_endpoint": f"{self.url}/userinfo"} if self.userinfo is not None else {}),
            **self.metadata,
        }
        return await self._respond(request, {key: item for key, item in document.items() if item is not None})

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        return await self._respond(request, {"keys": [key.public for key in self.keys]})

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": self.authorize(str(request.url))})

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = dict(parse_qsl(await request.text()))
        asked = self.codes.pop(form.get("code", ""), None)
        if not self._authenticated(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = (
            asked is not None
            and challenge == asked["code_challenge"]
            and asked["code_challenge_method"] == "S256"
            and form.get("redirect_uri") == asked["redirect_uri"]
        )
        if asked is None or not fits:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.user,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.keys[0].sign(claims) if self.token is None else self.token(claims)
        return await self._respond(request, {"access_token": "access", "token_type": "Bearer", "id_token": token})

    async def _userinfo(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer access":
            return web.Response(status=401)
        return await self._respond(request, self.userinfo or {})

    def _authenticated(self, request: web.Request, form: Mapping[str, str]) -> bool:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            pair = base64.b64decode(given).decode().split(":")
            return [unquote_plus(part) for part in pair] == [CLIENT_ID, CLIENT_SECRET]
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)

    async def _respond(self, request: web.Request, document: Mapping[str, Any]) -> web.StreamResponse:
        self.requests.append(request.path)
        if request.path in self.hanging:
            await asyncio.Event().wait()
        body = self.bodies.get(request.path, json.dumps(document).encode())
        return web.Response(body=body, status=self.statuses.get(request.path, 200), content_type="application/json")


@asynccontextmanager
async def running_issuer(*, port: int | None = None, **knobs: Any) -> AsyncIterator[Issuer]:
    """Serve a provider on a port of the loopback, by default a free one."""
    issuer = Issuer(**knobs)
    server = TestServer(issuer.app(), host="127.0.0.1", port=port)
    await server.start_server()
    issuer.url = str(server.make_url("")).rstrip("/")
    try:
        yield issuer
    finally:
        await server.close()
