"""A real nginx with the shipped configuration in front of stand-ins, three of each role, and a client."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import aiohttp

from tests.engines.nginx import Nginx, running_nginx
from tests.support.api import SECRET
from tests.support.stand_ins import NAME, StandIn, running_stand_ins

Socket = aiohttp.ClientWebSocketResponse[Literal[True]]
TOKEN = {"Authorization": "Bearer token"}


@dataclass(frozen=True)
class Reply:
    """A response; `by` is the name of the stand-in, empty if nginx itself has answered."""

    status: int
    by: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Gateway:
    """An nginx, the stand-ins behind it by their roles, and a client."""

    nginx: Nginx
    read: list[StandIn]
    write: list[StandIn]
    live: list[StandIn]
    session: aiohttp.ClientSession = field(repr=False)

    @property
    def all(self) -> list[StandIn]:
        """Every stand-in."""
        return [*self.read, *self.write, *self.live]

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: bool = True,
        data: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request, with a token unless that is switched off."""
        sent = {**(headers or {}), **(TOKEN if token else {})}
        async with self.session.request(method, self.nginx.url + path, headers=sent, data=data) as response:
            by = response.headers.get(NAME, "")
            return Reply(response.status, by, response.headers, await response.read())

    async def socket(
        self, path: str = "/connection/websocket", *, tls: ssl.SSLContext | None = None
    ) -> tuple[str, Socket]:
        """Open a socket; return the name of the stand-in that has it, and the socket."""
        url = self.nginx.url if tls is None else f"https://127.0.0.1:{self.nginx.tls_port}"
        socket = await self.session.ws_connect(url + path, ssl=True if tls is None else tls)
        await socket.send_str(NAME)
        return await socket.receive_str(timeout=30), socket

    async def get(self, path: str, *, token: bool = True, headers: Mapping[str, str] | None = None) -> Reply:
        """Request a path."""
        return await self.call("GET", path, token=token, headers=headers)


@asynccontextmanager
async def running_gateway(folder: Path, *, changes: Mapping[str, str] | None = None) -> AsyncIterator[Gateway]:
    """Run a gateway until the end of the block; `changes` replaces texts of the shipped files."""
    names = [f"{role}{number}" for role in ("read", "write", "live") for number in (1, 2, 3)]
    async with running_stand_ins(*names) as stand_ins, plain_session() as session:
        read, write, live = stand_ins[:3], stand_ins[3:6], stand_ins[6:]
        ports = [[stand_in.port for stand_in in role] for role in (read, write, live)]
        async with running_nginx(
            folder, api=ports[0], write=ports[1], live=ports[2], secret=SECRET.decode(), changes=changes
        ) as nginx:
            yield Gateway(nginx, read, write, live, session)


@asynccontextmanager
async def plain_session(address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    """A client without cookies whose connections come from an address of the loopback, as many as it needs."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def tls_context(*, version: ssl.TLSVersion | None = None, alpn: str = "http/1.1") -> ssl.SSLContext:
    """Return a context of a client that trusts any certificate, and speaks only `version` if that is given."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
