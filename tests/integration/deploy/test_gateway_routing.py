"""The gateway: which process gets a request, and how sockets and streams pass."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.eventually import eventually
from tests.support.gateways import Gateway, plain_session, running_gateway, tls_context
from tests.support.stand_ins import NAME

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 30.0  # seconds


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(engines_dir: Path) -> AsyncIterator[Gateway]:
    """A gateway for all tests of this module."""
    async with running_gateway(engines_dir / "gateway-routing") as gateway:
        yield gateway


ROUTES = [
    ("GET", "/", "read"),
    ("GET", "/static/js/app.js", "read"),
    ("GET", "/api/v1/feed", "read"),
    ("HEAD", "/api/v1/photos", "read"),
    ("GET", "/api/v1/oidc/google/callback?code=x", "write"),
    ("GET", "/api/v1/mail/unsubscribe", "write"),
    ("HEAD", "/api/v1/uploads/tus/1", "write"),
    ("POST", "/api/v1/photos", "write"),
    ("PUT", "/api/v1/photos/1/like", "write"),
    ("PATCH", "/api/v1/users/me", "write"),
    ("DELETE", "/api/v1/photos/1", "write"),
    ("OPTIONS", "/api/v1/photos", "write"),
    ("POST", "/api/v1/uploads", "write"),
    ("GET", f"/media/r1/{'a' * 64}/320.webp", "read"),
    ("GET", f"/media/{'a' * 64}/original.jpg", "read"),
    ("POST", "/emulation", "live"),
    ("POST", "/connection/http_stream", "live"),
]


@pytest.mark.parametrize(("method", "path", "role"), ROUTES)
async def test_requests_reach_the_role_that_serves_them(gateway: Gateway, method: str, path: str, role: str) -> None:
    """Reads, writes and live connections have processes of their own; reads that change something count as writes."""
    reply = await gateway.call(method, path)
    assert (reply.status, reply.by.rstrip("123")) == (200, role)


async def test_long_data_are_compressed(gateway: Gateway) -> None:
    """Data are sent compressed to clients that accept that, if they are long enough to be worth it."""
    long, short = await gateway.get("/api/v1/photos/long"), await gateway.get("/api/v1/photos")
    plain = await gateway.get("/api/v1/photos/long", headers={"Accept-Encoding": "identity"})
    assert long.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in long.headers["Vary"]
    assert "Content-Encoding" not in short.headers
    assert "Content-Encoding" not in plain.headers
    assert long.body == plain.body


@pytest.mark.parametrize(
    ("method", "accept", "role"),
    [("POST", "text/event-stream", "live"), ("POST", "application/json", "write"), ("GET", "*/*", "read")],
)
async def test_streams_of_graphql_reach_live_processes(gateway: Gateway, method: str, accept: str, role: str) -> None:
    """Other requests of the interface go by their method."""
    reply = await gateway.call(method, "/graphql", headers={"Accept": accept})
    assert reply.by.rstrip("123") == role


@pytest.mark.parametrize("path", ["/graphql", "/api/v1/streaming"])
async def test_sockets_of_other_interfaces_reach_live_processes(gateway: Gateway, path: str) -> None:
    """The upgrade passes the gateway, and messages go both ways."""
    name, socket = await gateway.socket(path)
    await socket.send_str("back")
    assert (name.rstrip("123"), await socket.receive_str(timeout=30)) == ("live", "back")
    await socket.close()


async def test_reads_are_balanced_in_turn(gateway: Gateway) -> None:
    """Round robin: of each three requests in a row every process gets one."""
    names = [(await gateway.get("/api/v1/feed")).by for _ in range(9)]
    assert names == names[:3] * 3
    assert len(set(names[:3])) == 3


async def test_a_write_goes_to_the_process_with_the_fewest(gateway: Gateway) -> None:
    """While two processes have a request each, the third gets all others."""
    held = [asyncio.create_task(gateway.call("POST", "/api/v1/held")) for _ in range(2)]
    await eventually(lambda: sum(stand_in.count("/api/v1/held") for stand_in in gateway.write) == 2, within=WITHIN)
    busy = {stand_in.name for stand_in in gateway.write if stand_in.count("/api/v1/held")}
    others = {(await gateway.call("POST", "/api/v1/photos")).by for _ in range(6)}
    for stand_in in gateway.write:
        stand_in.gate.set()
    assert {(await task).by for task in held} == busy
    assert len(busy) == 2
    assert others == {stand_in.name for stand_in in gateway.write} - busy


async def test_a_socket_goes_to_the_process_with_the_fewest(gateway: Gateway) -> None:
    """Six sockets are two for each process; when those of one are closed, the next two go there."""
    sockets = [await gateway.socket() for _ in range(6)]
    emptied = sockets[0][0]
    assert Counter(name for name, _ in sockets) == {stand_in.name: 2 for stand_in in gateway.live}
    for name, socket in sockets:
        if name == emptied:
            await socket.close()
    server = next(stand_in for stand_in in gateway.live if stand_in.name == emptied)
    await eventually(lambda: not server.sockets, within=WITHIN)
    more = [await gateway.socket() for _ in range(2)]
    assert [name for name, _ in more] == [emptied] * 2
    for _, socket in (*sockets, *more):
        await socket.close()


async def test_a_draining_process_gets_no_new_live_connections(gateway: Gateway) -> None:
    """A process that is about to stop answers 503, and nginx tries the next one."""
    draining = gateway.live[0]
    draining.draining = True
    try:
        sockets = [await gateway.socket() for _ in range(6)]
        streams = []
        for number in range(1, 9):
            url = f"{gateway.nginx.url}/live/sse?ticket=x"
            async with plain_session(f"127.{number}.0.1") as session, session.get(url) as stream:
                streams.append(stream.headers[NAME])
    finally:
        draining.draining = False
    assert draining.received
    assert draining.name not in {*streams, *(name for name, _ in sockets)}
    for _, socket in sockets:
        await socket.close()


async def test_streams_are_balanced_by_address(gateway: Gateway) -> None:
    """The stream of an address and its commands reach one process; other addresses reach others."""
    reached: dict[str, set[str]] = {}
    for number in range(1, 9):
        address = f"127.{number}.0.1"
        async with plain_session(address) as session:
            async with session.get(f"{gateway.nginx.url}/connection/sse?cf_connect=x") as stream:
                reached[address] = {stream.headers[NAME]}
            for _ in range(3):
                async with session.post(f"{gateway.nginx.url}/emulation", data=b"x") as response:
                    reached[address].add(response.headers[NAME])
    assert {len(names) for names in reached.values()} == {1}
    assert len(set.union(*reached.values())) > 1


async def test_images_are_balanced_by_path(gateway: Gateway) -> None:
    """An image that is not in the cache is asked of the same process each time, and different ones of all three."""
    reached = Counter[str]()
    for number in range(24):
        path = f"/media/r1/{number:064x}/320.webp"
        names = {(await gateway.get(f"{path}?exp=1&sig=x")).by for _ in range(3)}
        assert len(names) == 1
        reached.update(names)
    assert len(reached) == 3


async def test_events_pass_one_by_one(gateway: Gateway) -> None:
    """Each event of a stream arrives before the next one is sent."""
    async with gateway.session.get(f"{gateway.nginx.url}/live/sse?ticket=x") as stream:
        sender = next(stand_in for stand_in in gateway.live if stand_in.name == stream.headers[NAME])
        for number in range(3):
            await sender.send(str(number))
            async with asyncio.timeout(WITHIN):
                assert await stream.content.readuntil(b"\n\n") == f"data: {number}\n\n".encode()


async def test_identities_and_addresses_are_nginx_s_own(gateway: Gateway) -> None:
    """A client's own headers that name a user or a client do not arrive; nginx appends the address that it sees."""
    forged = {
        "X-User-Id": "666",
        "X-Forwarded-User": "root",
        "X-Remote-User": "root",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "X-Original-URL": "/metrics",
        "X-Rewrite-URL": "/metrics",
        "X-Picshare-Purge": "x",
        "X_User_Id": "666",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Request-Id": "forged-request-id",
    }
    for path in ("/", "/api/v1/feed", "/api/v1/uploads", "/emulation", f"/media/r1/{'b' * 64}/320.webp"):
        method = "POST" if path in {"/emulation", "/api/v1/uploads"} else "GET"
        reply = await gateway.call(method, path, headers=forged)
        received = next(stand_in for stand_in in gateway.all if stand_in.name == reply.by).received[-1].headers
        assert received["X-Forwarded-For"] == "6.6.6.6, 127.0.0.1"
        assert received["X-Forwarded-Proto"] == "http"
        assert len(received["X-Request-Id"]) == 32
        assert received["Host"] == gateway.nginx.url.removeprefix("http://")
        kept = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"}
        assert not [name for name in forged if name not in kept and name in received], path


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_sockets_over_tls(gateway: Gateway, version: ssl.TLSVersion) -> None:
    """A socket opens over TLS 1.2 and 1.3, and the process learns that the client uses TLS."""
    name, socket = await gateway.socket(tls=tls_context(version=version))
    await socket.close()
    server = next(stand_in for stand_in in gateway.live if stand_in.name == name)
    assert server.received[-1].headers["X-Forwarded-Proto"] == "https"


async def test_old_tls_is_refused(gateway: Gateway) -> None:
    """The response to a handshake of TLS 1.1 is the alert protocol_version (RFC 5246, section 7.2)."""
    suites = bytes.fromhex("c009c00ac013c014002f0035")
    hello = b"\x03\x02" + bytes(32) + b"\0" + len(suites).to_bytes(2, "big") + suites + b"\1\0"
    message = b"\1" + len(hello).to_bytes(3, "big") + hello
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.nginx.tls_port)
    writer.write(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
    async with asyncio.timeout(WITHIN):
        record = await reader.readexactly(7)
    writer.close()
    alert, fatal, protocol_version = 0x15, 2, 70
    assert (record[0], record[5], record[6]) == (alert, fatal, protocol_version)


async def test_http_2(gateway: Gateway) -> None:
    """A client that offers HTTP/2 gets it, and its request is answered by a process."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.nginx.tls_port, ssl=tls_context(alpn="h2"), server_hostname="localhost"
    )
    try:
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        # The fields of RFC 7541's static table: GET, https, /, and a literal :authority.
        block = b"\x82\x87\x84" + b"\x41\x09localhost"
        end_of_stream_and_headers = b"\x05"
        headers = len(block).to_bytes(3, "big") + b"\x01" + end_of_stream_and_headers + (1).to_bytes(4, "big") + block
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5) + headers)
        async with asyncio.timeout(WITHIN):
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                if head[3] == 1:
                    break
    finally:
        writer.close()
    status_200 = 0x88
    assert payload[0] == status_200


async def test_a_reload_keeps_sockets(gateway: Gateway) -> None:
    """After SIGHUP new workers accept requests, and fifty open sockets go on in the old ones."""
    sockets = [(await gateway.socket())[1] for _ in range(50)]
    before = gateway.nginx.workers()
    gateway.nginx.reload()
    await eventually(lambda: len(gateway.nginx.workers() - before) == 2, within=WITHIN)
    assert (await gateway.get("/api/v1/feed")).status == 200
    for number, socket in enumerate(sockets):
        await socket.send_str(str(number))
        assert await socket.receive_str(timeout=WITHIN) == str(number)
    assert before & gateway.nginx.workers()
    for socket in sockets:
        await socket.close()
    await eventually(lambda: not before & gateway.nginx.workers(), within=WITHIN)
