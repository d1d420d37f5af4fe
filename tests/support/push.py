"""Browsers that subscribe to push messages, and a push service on the loopback interface that they read them from."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import http_ece
import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec

from storage import ids
from storage.push import PushSubscription
from workers.outbound.policy import OutboundPolicy
from workers.web_push.base64url import decode, encode
from workers.web_push.hosts import PushHosts
from workers.web_push.keys import point_of
from workers.web_push.settings import PushSettings
from workers.web_push.token_cipher import TokenCipher
from workers.web_push.vapid import VapidKey

HOST = "127.0.0.1"
CONTACT = "mailto:push@example.com"
PUBLIC_URL = "https://photos.example.com"
CIPHER = TokenCipher(b"a secret of the tests")
LOOPBACK = OutboundPolicy(
    schemes=frozenset({"http", "https"}), ports=None, allowed_networks=(ip_network("127.0.0.1/32"),)
)


def push_settings(key: VapidKey | None = None, **values: Any) -> PushSettings:
    """Return settings with which messages are sent to the loopback interface."""
    defaults: dict[str, Any] = {
        "contact": CONTACT,
        "hosts": PushHosts([HOST]),
        "policy": LOOPBACK,
        "public_url": PUBLIC_URL,
        "token_cipher": CIPHER,
    }
    return PushSettings(key=key or VapidKey.generate(), **{**defaults, **values})


class Browser:
    """The keys of a browser, and its endpoint; decrypts with an implementation of others."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._private_key = ec.generate_private_key(ec.SECP256R1())
        self.p256dh = point_of(self._private_key.public_key())
        self.auth = os.urandom(16)

    def json(self, **fields: Any) -> dict[str, Any]:
        """Return the subscription as a page sends it."""
        keys = {"p256dh": encode(self.p256dh), "auth": encode(self.auth)}
        return {"endpoint": self.endpoint, "keys": keys, **fields}

    def subscription(self, **fields: Any) -> PushSubscription:
        """Return the subscription as it is stored."""
        defaults: dict[str, Any] = {
            "id": ids.IdGenerator().new(7),
            "user_id": 7,
            "session_id": "",
            "created_at": datetime.now(UTC),
        }
        values = {"endpoint": self.endpoint, "p256dh": self.p256dh, "auth": self.auth}
        return PushSubscription(**{**defaults, **values, **fields})

    def decrypt(self, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the payload of a message in aes128gcm, or in the encoding that the header fields name."""
        if headers is not None and headers["Content-Encoding"] == "aesgcm":
            return self._decrypt_legacy(body, headers)
        payload: bytes = http_ece.decrypt(
            body, private_key=self._private_key, auth_secret=self.auth, version="aes128gcm"
        )
        return payload

    def _decrypt_legacy(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        fields = dict(part.split("=", 1) for part in headers["Crypto-Key"].split(";"))
        payload: bytes = http_ece.decrypt(
            body,
            private_key=self._private_key,
            salt=decode(headers["Encryption"].removeprefix("salt=")),
            dh=decode(fields["dh"]),
            auth_secret=self.auth,
            version="aesgcm",
        )
        return payload


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A request that arrived at the push service."""

    headers: Mapping[str, str]
    body: bytes
    payload: bytes

    @property
    def document(self) -> Any:
        """Return the decrypted JSON."""
        return json.loads(self.payload)

    @property
    def notification(self) -> Any:
        """Return what the browser shows."""
        return self.document["notification"]

    def claims(self, audience: str) -> Any:
        """Return the claims of the server's token, which another implementation verifies by the key beside it."""
        scheme, _, parameters = self.headers["Authorization"].partition(" ")
        assert scheme == "vapid"
        found = dict(part.strip().split("=", 1) for part in parameters.split(","))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(found["k"]))
        return jwt.decode(found["t"], key, algorithms=["ES256"], audience=audience)


Respond = Callable[[str], web.StreamResponse]  # the name of the browser -> the response


@dataclass
class PushService:
    """A push service; `respond` makes its responses, which accept messages unless a test sets another one."""

    server: TestServer
    browsers: dict[str, Browser] = field(default_factory=dict)
    messages: list[Pushed] = field(default_factory=list)
    respond: Respond = field(default=lambda _: web.Response(status=201))
    hang: bool = False

    @property
    def origin(self) -> str:
        """Return the origin of its endpoints."""
        return f"http://{HOST}:{self.server.port}"

    def browser(self, name: str = "one") -> Browser:
        """Return a browser with an endpoint of its own."""
        return self.browsers.setdefault(name, Browser(f"{self.origin}/push/{name}"))

    def answer(self, status: int, *, text: str = "", **headers: str) -> None:
        """Respond to all messages so; underscores in names of headers are hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.respond = lambda _: web.Response(status=status, text=text, headers=fields)

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """Read a request that is no message, and accept it."""
        await request.read()
        return web.Response(status=201)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Handle a message as RFC 8030 has it."""
        body = await request.read()
        name = request.match_info["name"]
        browser = self.browsers[name]
        self.messages.append(
            Pushed(headers=request.headers.copy(), body=body, payload=browser.decrypt(body, request.headers))
        )
        if self.hang:
            await asyncio.Event().wait()
        return self.respond(name)


@asynccontextmanager
async def running_push_service(port: int | None = None) -> AsyncIterator[PushService]:
    """Serve a push service on a port of the loopback interface, by default a free one."""
    app = web.Application()
    server = TestServer(app, host=HOST, port=port)
    service = PushService(server)
    app.router.add_post("/push/{name}", service.receive)
    app.router.add_post("/floor", service.accept)
    await server.start_server()
    try:
        yield service
    finally:
        await server.close()
