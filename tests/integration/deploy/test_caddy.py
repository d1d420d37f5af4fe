"""Caddy with the shipped Caddyfile: the roles of the API, live connections, HTTP/2, and the offer of HTTP/3."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from server.edge.methods import PATHS_OF_WRITES
from tests.engines.caddy import caddy, environment, find_caddy, root_certificate
from tests.engines.private import free_port

SHIPPED = Path(__file__).parents[3] / "deploy" / "caddy" / "Caddyfile"
# Port in the shipped file -> the role that listens there; those of the second processes are closed.
ROLES = {"8080": "read", "8082": "write", "8081": "live"}
SPARE = ("8090", "8092", "8091")
PATIENCE = 30.0  # seconds

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Upstream:
    """A role behind Caddy, which describes the requests that it gets."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.release = asyncio.Event()

    def app(self) -> web.Application:
        """Return its application."""
        app = web.Application()
        app.router.add_get("/connection/websocket", self.echo)
        app.router.add_get("/live/sse", self.events)
        app.router.add_route("*", "/{path:.*}", self.describe)
        return app

    async def describe(self, request: web.Request) -> web.Response:
        """Return the role, and what the proxy has added."""
        headers = {name: request.headers.get(name) for name in ("X-Forwarded-For", "X-Forwarded-Proto", "Host")}
        await request.read()
        return web.json_response(headers, headers={"X-Role": self.role})

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        """Return each message to its sender."""
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for message in response:
            await response.send_str(f"{self.role}: {message.data}")
        return response

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send an event, and the next one when the test has received the first."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await self.release.wait()
        await response.write(b"data: second\n\n")
        return response


class Site:
    """A Caddy in front of three roles; `config` is the shipped file with other addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"https://localhost:{self.port}"
        self.upstreams = {role: Upstream(role) for role in ROLES.values()}
        self.session: aiohttp.ClientSession

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Site]:
        """Run everything inside the block."""
        async with AsyncExitStack() as stack:
            config = SHIPPED.read_text().replace("photos.example.com {", f"{self.url} {{")
            for port in SPARE:
                config = config.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
            for port, role in ROLES.items():
                runner = web.AppRunner(self.upstreams[role].app())
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                config = config.replace(f"127.0.0.1:{port}", f"127.0.0.1:{runner.addresses[0][1]}")
            options = "admin off\nskip_install_trust\nlocal_certs\nauto_https disable_redirects"
            await stack.enter_async_context(caddy(self.folder, f"{{\n{options}\n}}\n{config}", self._serves))
            self.session = await stack.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))
            )
            yield self

    def curl(self, path: str, *options: str) -> str:
        """Return what curl prints for a path, with the root certificate of this Caddy; blocks."""
        root = str(root_certificate(self.folder))
        command = ["curl", "-sS", "--max-time", "30", "--cacert", root, *options, f"{self.url}{path}"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _serves(self) -> bool:
        try:
            # Caddy itself answers this path: the upstreams are in this process, which waits for curl.
            self.curl("/metrics")
        except subprocess.CalledProcessError as error:
            raise AssertionError(error.stderr) from error
        return True


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One Caddy for this module."""
    async with Site(tmp_path_factory.mktemp("caddy")).running() as site:
        yield site


async def test_the_shipped_file_is_valid(tmp_path: Path) -> None:
    """Caddy accepts it as it is, and it has Caddy's own format."""
    environ = environment(tmp_path)
    for command in (["validate", "--adapter", "caddyfile", "--config", str(SHIPPED)], ["fmt", "--diff", str(SHIPPED)]):
        done = await asyncio.to_thread(
            subprocess.run, [find_caddy(), *command], capture_output=True, text=True, env=environ, check=False
        )
        assert done.returncode == 0, done.stderr


async def test_each_request_reaches_its_role(site: Site) -> None:
    """GET and HEAD go to one role, everything else to the other, with all of what belongs to writes."""

    async def role_of(method: str, path: str) -> str:
        async with site.session.request(method, site.url + path, data=b"x" * 100) as response:
            assert response.status == 200
            return response.headers["X-Role"]

    assert await role_of("GET", "/") == await role_of("GET", "/media/a/1080.jpg") == "read"
    assert await role_of("GET", "/api/v1/photos") == "read"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert await role_of(method, "/api/v1/photos") == "write"
    for path in PATHS_OF_WRITES:
        assert await role_of("GET", f"{path.rstrip('/')}/x" if path != "/api/v1/mail/unsubscribe" else path) == "write"
    assert await role_of("HEAD", "/api/v1/photos/7") == "read"
    assert await role_of("HEAD", "/api/v1/uploads/tus/7") == "write"
    for path in ("/metrics", "/readyz"):
        async with site.session.get(site.url + path) as response:
            assert response.status == 404


async def test_the_address_of_the_client_cannot_be_forged(site: Site) -> None:
    """The upstream gets the client's address alone, the scheme and the host."""
    async with site.session.get(f"{site.url}/", headers={"X-Forwarded-For": "6.6.6.6"}) as response:
        seen = await response.json()
    assert seen["X-Forwarded-For"] in {"127.0.0.1", "::1"}
    assert (seen["X-Forwarded-Proto"], seen["Host"]) == ("https", f"localhost:{site.port}")


async def test_http_2_and_the_offer_of_http_3(site: Site) -> None:
    """A client gets HTTP/2, HSTS, and the address of HTTP/3 at the same port."""
    output = await asyncio.to_thread(site.curl, "/", "--http2", "-i")
    head, _, body = output.partition("\n\n")
    assert head.startswith("HTTP/2 200")
    assert f'alt-svc: h3=":{site.port}"' in head
    assert "strict-transport-security: max-age=31536000" in head
    assert "x-role: read" in head
    assert json.loads(body)["X-Forwarded-Proto"] == "https"


async def test_live_connections_pass(site: Site) -> None:
    """Messages of a WebSocket pass in both directions, and each event of a stream as soon as it is sent."""
    async with site.session.ws_connect(f"{site.url}/connection/websocket") as connection:
        await connection.send_str("hello")
        assert await connection.receive_str(timeout=PATIENCE) == "live: hello"
    async with site.session.get(f"{site.url}/live/sse") as response, asyncio.timeout(PATIENCE):
        assert await response.content.readuntil(b"\n\n") == b"data: first\n\n"
        site.upstreams["live"].release.set()
        assert await response.content.readuntil(b"\n\n") == b"data: second\n\n"
