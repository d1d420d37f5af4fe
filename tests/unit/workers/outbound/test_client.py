"""Requests to peers over real sockets: good ones, hostile ones, and those at addresses that must not be dialled."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest

from server.operation.metrics import Metrics
from storage.circuit import Circuit, CircuitPolicy
from tests.support.certificates import Certificate, self_signed
from tests.support.eventually import DEADLINE, eventually
from tests.support.scripted_peer import Behaviour, Peer, hang, repeats, reset, responds, scripted_peer, sends
from workers.outbound.client import MAX_RESPONSE, OutboundClient
from workers.outbound.dialling import make_connector
from workers.outbound.errors import OutboundError
from workers.outbound.policy import OutboundPolicy
from workers.outbound.urls import check_url_resolves

STRICT = OutboundPolicy(schemes=frozenset({"http", "https"}), ports=None)
# Peers of these tests are at 127.0.0.1, and nowhere else.
LOCAL = replace(STRICT, allowed_networks=(ip_network("127.0.0.1"),))
OK = b"HTTP/1.1 200 OK\r\n"


class StubResolver:
    """Answers with the next addresses at each question, in the end with the last ones again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.names: list[str] = []

    async def lookup(self, host: str) -> Sequence[str]:
        """Return addresses."""
        self.names.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def client_and_peer(
    behave: Behaviour, policy: OutboundPolicy = LOCAL, resolver: StubResolver | None = None
) -> AsyncIterator[tuple[OutboundClient, Peer]]:
    """Yield an open client, and a peer that behaves so."""
    async with (
        scripted_peer(behave) as peer,
        OutboundClient(policy, name="test", resolver=resolver or StubResolver(["127.0.0.1"])) as client,
    ):
        yield client, peer


async def test_a_response() -> None:
    """Status, headers and body are returned, and the request is exactly what was asked for."""
    async with client_and_peer(responds(b"hello", "X-Reply: 1", status="418 Teapot")) as (client, peer):
        url = f"http://peer.example:{peer.port}/hook?a=b%20c"
        response = await client.send("POST", url, body=b"{}", headers={"Content-Type": "application/json"})
    assert (response.status, response.body, response.truncated, response.ok) == (418, b"hello", False, False)
    assert response.headers["x-reply"] == "1"
    assert response.seconds >= 0
    first, *lines = peer.requests[0].split("\r\n")
    assert first == "POST /hook?a=b%20c HTTP/1.1"
    assert {line for line in lines if line} == {
        f"Host: peer.example:{peer.port}",
        "User-Agent: PicShare",
        "Accept-Encoding: identity",
        "Accept: */*",
        "Connection: close",
        "Content-Type: application/json",
        "Content-Length: 2",
    }


HOSTILE: dict[str, tuple[Behaviour, str]] = {
    "hangs": (hang, "timeout"),
    "resets": (reset, "reset"),
    "closes": (sends(), "reset"),
    "closes in the header": (sends(b"HTTP/1.1 200 OK\r\nX: y"), "reset"),
    "closes in the body": (sends(OK + b"Content-Length: 9\r\n\r\nx"), "reset"),
    "closes in a chunk": (sends(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nx"), "reset"),
    "header byte by byte": (repeats(OK, b"a", pause=0.01), "timeout"),
    "body byte by byte": (repeats(OK + b"Content-Length: 9999\r\n\r\n", b"a", pause=0.01), "timeout"),
    "chunks byte by byte": (repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", pause=0.01), "timeout"),
    "interim responses without end": (repeats(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0.001), "timeout"),
    "garbage": (sends(b"\x00\x01\xff\xfe" * 100 + b"\r\n\r\n"), "bad_response"),
    "another protocol": (sends(b"SSH-2.0-OpenSSH_9.9\r\n"), "bad_response"),
    "a status that is none": (sends(b"HTTP/1.1 99999 Big\r\n\r\n"), "bad_response"),
    "a chunk that is none": (sends(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"), "bad_response"),
    "two lengths": (sends(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), "bad_response"),
    "a huge header": (sends(OK + b"X: " + b"a" * 1_000_000), "bad_response"),
    "headers without end": (repeats(OK, b"X: y\r\n" * 1000), "bad_response"),
}


@pytest.mark.parametrize(("behave", "reason"), HOSTILE.values(), ids=list(HOSTILE))
async def test_hostile_peers(behave: Behaviour, reason: str) -> None:
    """A peer that keeps no rules costs its timeout at most, and has a reason of its own."""
    async with client_and_peer(behave) as (client, peer):
        with pytest.raises(OutboundError) as caught:
            async with asyncio.timeout(DEADLINE):  # fails the test, because this is another exception
                await client.send("POST", f"http://127.0.0.1:{peer.port}/", body=b"{}", timeout=0.3)
        assert caught.value.reason == reason
        assert len(caught.value.detail) < 100  # nothing that the peer has sent
        if behave is not hang:
            await peer.ended.wait()  # the connection is not kept


@pytest.mark.parametrize(
    "behave",
    [
        repeats(OK + b"\r\n", b"x" * 65_536),
        repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
        sends(OK + b"Content-Length: 9999999999\r\n\r\n" + b"x" * 100_000),
    ],
    ids=["until the end", "chunked", "declared"],
)
async def test_an_endless_body_is_cut(behave: Behaviour) -> None:
    """The first bytes are returned, and then the connection is closed instead of read."""
    async with client_and_peer(behave) as (client, peer):
        response = await client.send("GET", f"http://127.0.0.1:{peer.port}/")
        await peer.ended.wait()
    assert (response.body, response.truncated) == (b"x" * MAX_RESPONSE, True)


@pytest.mark.parametrize(("size", "truncated"), [(99, False), (100, False), (101, True)])
async def test_the_limit_of_a_body(size: int, truncated: bool) -> None:
    """A body of exactly the limit is complete."""
    async with client_and_peer(responds(b"x" * size)) as (client, peer):
        response = await client.send("GET", f"http://127.0.0.1:{peer.port}/", max_response=100)
    assert (len(response.body), response.truncated) == (min(size, 100), truncated)


async def test_a_compressed_body_stays_compressed() -> None:
    """A gzip bomb is as large as its bytes on the wire."""
    bomb = gzip.compress(bytes(10_000_000))
    async with client_and_peer(responds(bomb, "Content-Encoding: gzip")) as (client, peer):
        response = await client.send("GET", f"http://127.0.0.1:{peer.port}/")
    assert (response.body, response.truncated) == (bomb, False)


async def test_a_response_before_the_end_of_the_request() -> None:
    """A peer that refuses a large body without reading it has its response returned."""
    async with client_and_peer(responds(b"no", status="413 Too Large")) as (client, peer):
        peer.linger = True
        response = await client.send("POST", f"http://127.0.0.1:{peer.port}/", body=bytes(50_000_000), timeout=4)
    assert (response.status, response.body) == (413, b"no")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_redirects_are_not_followed(status: str) -> None:
    """A redirect is a response like any other; the address in it gets no request."""
    async with scripted_peer(responds(b"secret")) as other:
        redirect = responds(b"", f"Location: http://127.0.0.1:{other.port}/", status=status)
        async with client_and_peer(redirect) as (client, peer):
            response = await client.send("POST", f"http://127.0.0.1:{peer.port}/", body=b"{}")
    assert response.status == int(status[:3])
    assert other.connections == 0


async def test_nothing_is_kept_or_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Cookies, connections, proxies and passwords of the environment are not used."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password secret\n")
    async with (
        scripted_peer(responds()) as proxy,
        client_and_peer(responds(b"", "Set-Cookie: a=b; Path=/")) as (client, peer),
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(netrc))
        for _ in range(2):
            await client.send("GET", f"http://127.0.0.1:{peer.port}/")
    assert (proxy.connections, peer.connections) == (0, 2)
    assert not any("Cookie" in request or "Authorization" in request for request in peer.requests)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate of its own authority, for localhost and 127.0.0.1."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize(
    ("host", "trusted", "reason"),
    [
        ("localhost", True, None),
        ("127.0.0.1", True, None),
        ("localhost.", True, None),
        ("other.example", True, "tls"),
        ("localhost", False, "tls"),
    ],
)
async def test_tls(certificate: Certificate, host: str, trusted: bool, reason: str | None) -> None:
    """The certificate has to be valid for the name in the URL, and of a known authority."""
    context = ssl.create_default_context(cafile=certificate.path) if trusted else None
    resolver = StubResolver(["127.0.0.1"])
    async with (
        scripted_peer(responds(b"hello"), certificate.server) as peer,
        OutboundClient(LOCAL, name="test", resolver=resolver, ssl_context=context) as client,
    ):
        call = client.send("GET", f"https://{host}:{peer.port}/")
        if reason is None:
            assert (await call).body == b"hello"
        else:
            with pytest.raises(OutboundError) as caught:
                await call
            assert caught.value.reason == reason
    assert len(peer.requests) == (reason is None)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [(sends(b"220 mail.example ESMTP\r\n"), "tls"), (sends(), "connect"), (hang, "timeout")],
    ids=["another protocol", "closes", "hangs"],
)
async def test_a_handshake_that_fails(behave: Behaviour, reason: str) -> None:
    """A peer that does not speak TLS is an error."""
    async with (
        scripted_peer(behave, reads=False) as peer,
        OutboundClient(LOCAL, name="test", resolver=StubResolver(["127.0.0.1"])) as client,
    ):
        with pytest.raises(OutboundError) as caught:
            await client.send("POST", f"https://127.0.0.1:{peer.port}/", timeout=0.5)
    assert caught.value.reason == reason


async def test_a_connection_has_less_time_than_its_request() -> None:
    """A peer that accepts a connection and never answers the handshake is left early."""
    async with (
        scripted_peer(hang, reads=False) as peer,
        OutboundClient(LOCAL, name="test", resolver=StubResolver(["127.0.0.1"]), connect_timeout=0.2) as client,
    ):
        with pytest.raises(OutboundError) as caught:
            await client.send("POST", f"https://127.0.0.1:{peer.port}/", timeout=30)
    assert caught.value.reason == "connect"


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::ffff:7f00:1"], ["::1"]])
async def test_a_name_that_is_bound_to_another_address(addresses: list[str]) -> None:
    """A name that had a public address when its URL was accepted gets no connection to an internal one."""
    resolver = StubResolver(["8.8.8.8"], addresses)
    async with client_and_peer(responds(b"secret"), STRICT, resolver) as (client, peer):
        url = str(await check_url_resolves(f"http://rebinding.example:{peer.port}/", STRICT, resolver))
        with pytest.raises(OutboundError) as caught:
            await client.send("POST", url, body=b"{}")
    assert caught.value.reason == "address_refused"
    assert resolver.names == ["rebinding.example"] * 2
    assert peer.connections == 0


async def test_one_forbidden_address_forbids_the_name() -> None:
    """A name that has an internal address as well is refused, whichever would be dialled."""
    resolver = StubResolver(["127.0.0.1", "10.0.0.1"])
    async with client_and_peer(responds(), LOCAL, resolver) as (client, peer):
        with pytest.raises(OutboundError, match="address_refused"):
            await client.send("POST", f"http://peer.example:{peer.port}/")
    assert peer.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "localhost"])
async def test_a_literal_address_is_refused_when_it_is_sent_to(host: str) -> None:
    """The URL is checked again, because the policy may be another one than when it was stored."""
    async with client_and_peer(responds(b"secret"), STRICT) as (client, peer):
        with pytest.raises(OutboundError) as caught:
            await client.send("GET", f"http://{host}:{peer.port}/")
    assert caught.value.reason == "address_refused"
    assert peer.connections == 0


async def test_the_socket_itself_is_checked() -> None:
    """Without any check of the URL and of names, no connection is opened to a literal address."""
    connector = make_connector(STRICT, StubResolver(["8.8.8.8"]))
    async with scripted_peer(responds(b"secret")) as peer, aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(OutboundError, match="address_refused"):
            await session.get(f"http://127.0.0.1:{peer.port}/")
    assert peer.connections == 0


async def test_a_port_without_a_listener() -> None:
    """A refused connection has the system's reason."""
    async with client_and_peer(responds()) as (client, peer):
        port = peer.port
    async with OutboundClient(LOCAL, name="test", resolver=StubResolver(["127.0.0.1"])) as client:
        with pytest.raises(OutboundError) as caught:
            await client.send("GET", f"http://127.0.0.1:{port}/")
    assert (caught.value.reason, caught.value.detail) == (
        "connect",
        "the host does not accept a connection: connection refused",
    )


async def test_requests_take_turns() -> None:
    """Of two requests with one turn, the second is sent when the first has ended."""
    gate = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await responds()(writer)

    async with (
        scripted_peer(wait) as peer,
        OutboundClient(LOCAL, name="test", resolver=StubResolver(["127.0.0.1"]), concurrency=1) as client,
    ):
        calls = [asyncio.create_task(client.send("GET", f"http://127.0.0.1:{peer.port}/")) for _ in range(2)]
        await eventually(lambda: peer.requests)
        assert peer.connections == 1
        gate.set()
        assert [response.status for response in await asyncio.gather(*calls)] == [200, 200]
    assert peer.connections == 2


async def test_outcomes_are_counted() -> None:
    """Each request counts once, by the name of the client."""
    metrics = Metrics()
    behaviours = [responds(), responds(status="404 Not Found"), reset, responds(status="204 No Content")]
    async with (
        scripted_peer(hang) as peer,
        OutboundClient(LOCAL, name="test", resolver=StubResolver(["127.0.0.1"]), metrics=metrics) as client,
    ):
        for peer.behave in behaviours:
            with suppress(OutboundError):
                await client.send("GET", f"http://127.0.0.1:{peer.port}/")
    counted = {
        sample.labels["outcome"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "picshare_outbound_requests_total"
    }
    assert counted == {"ok": 2, "status": 1, "reset": 1}


async def test_a_circuit_ends_requests_to_a_peer_that_fails() -> None:
    """Errors and 5xx open the circuit, other responses do not; then nothing is sent until a probe succeeds."""
    now = 0.0
    circuit = Circuit("peer", CircuitPolicy(failures=2, pause=60), clock=lambda: now)
    async with client_and_peer(responds(status="499 Other")) as (client, peer):
        url = f"http://127.0.0.1:{peer.port}/"
        for _ in range(3):
            assert (await client.send("POST", url, circuit=circuit)).status == 499
        peer.behave = responds(status="500 Error")
        assert (await client.send("POST", url, circuit=circuit)).status == 500
        peer.behave = reset
        with pytest.raises(OutboundError, match="reset"):
            await client.send("POST", url, circuit=circuit)
        with pytest.raises(OutboundError) as caught:
            await client.send("POST", url, circuit=circuit)
        assert (caught.value.reason, caught.value.detail) == ("circuit_open", "not sent; the next attempt is in 60 s")
        assert peer.connections == 5
        now, peer.behave = 60.0, responds()
        assert (await client.send("POST", url, circuit=circuit)).status == 200
        assert circuit.retry_after == 0
