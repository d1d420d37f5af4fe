"""A service that scans files lets them pass or names them; everything else that it does is no answer."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from storage.circuit import Circuit, CircuitState
from tests.support.scripted_peer import Behaviour, hang, repeats, reset, responds, scripted_peer, sends
from workers.outbound.client import OutboundClient
from workers.outbound.policy import TRUSTED
from workers.scanning.http_scanner import CIRCUIT, HttpScanner
from workers.scanning.port import ScanSettings, ScanUnavailableError

# Neither a pass nor a match, whatever it does.
UNUSABLE: dict[str, Behaviour] = {
    "hangs": hang,
    "resets": reset,
    "closes": sends(),
    "answers slowly": repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=0.01),
    "answers garbage": sends(b"\x00\x01garbage\r\n\r\n"),
    "promises more": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    "fails": responds(status="500 Internal Server Error"),
    "is overloaded": responds(status="503 Service Unavailable"),
    "is somewhere else": responds(b"", "Location: /pass", status="302 Found"),
    "does not know the path": responds(b"not found", status="404 Not Found"),
    "has accepted": responds(status="202 Accepted"),
    "says nothing": responds(status="204 No Content"),
}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A file."""
    path = tmp_path / "original"
    path.write_bytes(b"bytes of an image")
    return path


@asynccontextmanager
async def scanner_at(url: str, circuit: Circuit | None = None, *, timeout: float = 0.3) -> AsyncIterator[HttpScanner]:
    """Open a scanner for the service at a URL."""
    async with OutboundClient(TRUSTED, name="scan") as client:
        yield HttpScanner(ScanSettings(url=url, timeout=timeout), client, circuit or Circuit("scan", CIRCUIT))


async def matches(scanner: HttpScanner, path: Path) -> bool:
    """Have a file scanned."""
    return await scanner.matches(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), content_type="image/jpeg")


@pytest.mark.parametrize(("status", "expected"), [(200, False), (451, True)])
async def test_it_gets_the_bytes(tmp_path: Path, status: int, expected: bool) -> None:
    """The service gets exactly the file, with its type and hash; the status alone is the answer."""
    path, got = tmp_path / "large", list[tuple[bytes, str, str, int | None]]()
    path.write_bytes(bytes(range(256)) * 20_000)

    async def scan(request: web.Request) -> web.Response:
        body = await request.read()
        got.append((body, request.content_type, request.headers["X-Picshare-Sha256"], request.content_length))
        return web.Response(status=status, text="match pass 451 200")

    app = web.Application(client_max_size=10_000_000)
    app.router.add_post("/scan", scan)
    async with TestServer(app) as server, scanner_at(str(server.make_url("/scan")), timeout=30.0) as scanner:
        assert await matches(scanner, path) is expected
    data = path.read_bytes()
    assert got == [(data, "image/jpeg", hashlib.sha256(data).hexdigest(), len(data))]


@pytest.mark.parametrize("behave", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_what_is_no_answer(original: Path, behave: Behaviour) -> None:
    """A service that does anything else has given no answer, within the deadline."""
    async with scripted_peer(behave) as peer, scanner_at(f"http://127.0.0.1:{peer.port}/") as scanner:
        with pytest.raises(ScanUnavailableError):
            await matches(scanner, original)
        assert peer.connections == 1


async def test_the_deadline_is_that_of_the_settings(original: Path) -> None:
    """A service that hangs is waited for as long as the operator has said."""
    async with scripted_peer(hang) as peer, scanner_at(f"http://127.0.0.1:{peer.port}/", timeout=0.1) as scanner:
        with pytest.raises(ScanUnavailableError, match=r"within 0\.1 s"):
            await matches(scanner, original)


async def test_its_circuit_opens(original: Path) -> None:
    """A service that is down is not asked each time, and the error has the seconds until it is."""
    circuit = Circuit("scan", CIRCUIT)
    async with scripted_peer(reset) as peer, scanner_at(f"http://127.0.0.1:{peer.port}/", circuit) as scanner:
        for _ in range(CIRCUIT.failures + 5):
            with pytest.raises(ScanUnavailableError) as caught:
                await matches(scanner, original)
        assert peer.connections == CIRCUIT.failures
    assert circuit.state is CircuitState.OPEN
    assert 0 < caught.value.retry_after <= CIRCUIT.pause
