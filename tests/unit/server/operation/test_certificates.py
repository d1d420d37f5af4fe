"""The certificate of a server: what cannot be used changes nothing, and open sockets go on over a reload."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from server.errors import CertificateError
from server.operation import certificates
from server.operation.certificates import ServerCertificate, Validity, read_pair
from server.operation.health import Health
from server.operation.lifecycle import Node, ShutdownOptions, run_node
from server.operation.listening import bound
from server.operation.metrics import Metrics
from tests.support.certificates import Pair, pair, served_names
from tests.support.eventually import eventually

SHUTDOWN = ShutdownOptions(drain_delay=0, shutdown_deadline=5)
PATIENCE = 30.0  # seconds


def folder_of(parent: Path, name: str) -> Path:
    """Return a new directory."""
    (parent / name).mkdir()
    return parent / name


def certificate_of(files: Pair, metrics: Metrics | None = None, *, optional: bool = False) -> ServerCertificate:
    """Return a certificate that is not loaded yet."""
    return ServerCertificate(files.certificate, files.key, metrics or Metrics(), optional=optional)


def break_text(files: Pair, other: Pair) -> None:
    """Replace the certificate by what is none."""
    del other
    files.certificate.write_text("no certificate")


def cut(files: Pair, other: Pair) -> None:
    """Replace the certificate by the first half of itself, as while it is written."""
    del other
    files.certificate.write_bytes(files.certificate.read_bytes()[:200])


def swap_key(files: Pair, other: Pair) -> None:
    """Replace the key by that of another certificate."""
    shutil.copy(other.key, files.key)


def encrypt_key(files: Pair, other: Pair) -> None:
    """Replace the key by itself with a password."""
    del other
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"secret")
    form = serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))


def remove(files: Pair, other: Pair) -> None:
    """Remove the key."""
    del other
    files.key.unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (break_text, "no complete PEM text"),
        (cut, "no complete PEM text"),
        (swap_key, "the key is not that of the certificate"),
        (encrypt_key, "the key is encrypted"),
        (remove, "No such file"),
    ],
    ids=["no-certificate", "cut", "another-key", "encrypted-key", "no-key"],
)
def test_files_that_cannot_be_used_leave_the_former_pair(spoil: object, reason: str, tmp_path: Path) -> None:
    """Each fault is logged and counted, and the context of new connections is the one before."""
    assert callable(spoil)
    files, metrics = pair(tmp_path, "one.example"), Metrics()
    other = pair(folder_of(tmp_path, "other"), "two.example")
    certificate = certificate_of(files, metrics)
    certificate.load()
    before, validity = certificate.context, certificate.validity
    spoil(files, other)
    with capture_logs() as logs:
        certificate.reload()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("certificate_refused", "error")]
    assert reason in logs[0]["error"]
    assert (certificate.context, certificate.validity) == (before, validity)
    assert b'picshare_certificate_loads_total{result="refused"} 1.0' in metrics.render()
    # At the start, where there is no former pair, it is the error of the start.
    with pytest.raises(CertificateError, match=reason):
        certificate_of(files).load()


def test_an_expired_certificate_is_served_and_reported(tmp_path: Path) -> None:
    """Clients refuse it with a clear message, which a closed port would not give; the metric is in the past."""
    files, metrics = pair(tmp_path, "old.example", begins=timedelta(days=-90), ends=timedelta(seconds=-5)), Metrics()
    certificate = certificate_of(files, metrics)
    with capture_logs() as logs:
        certificate.load()
    assert [entry["event"] for entry in logs] == ["certificate_loaded", "certificate_ends"]
    assert certificate.validity is not None
    name, labels = "picshare_certificate_expires_timestamp_seconds", {"domain": "old.example"}
    assert metrics.registry.get_sample_value(name, labels) == certificate.validity.ends.timestamp()


@pytest.mark.parametrize(
    ("lifetime_days", "left_days", "soon"), [(90, 15, False), (90, 13, True), (6, 1.1, False), (6, 0.9, True)]
)
def test_soon_depends_on_the_lifetime(lifetime_days: float, left_days: float, soon: bool) -> None:
    """A certificate of 90 days should be renewed 14 days before its end, one of 6 days a day before."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ends = now + timedelta(days=left_days)
    validity = Validity(names=("a",), begins=ends - timedelta(days=lifetime_days), ends=ends)
    assert validity.ends_soon(now) is soon


def test_old_protocols_are_refused(tmp_path: Path) -> None:
    """TLS 1.2 is the least version, and only HTTP/1.1 is offered."""
    files = pair(tmp_path, "one.example")
    context, validity = read_pair(files.certificate, files.key)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert validity.names == ("one.example", "localhost")


class TlsServer:
    """A node with TLS that echoes what it gets on a WebSocket."""

    def __init__(self, certificate: ServerCertificate) -> None:
        app = web.Application()
        app.router.add_get("/echo", self.echo)
        self.node = Node(
            health=Health({}),
            app=app,
            services={"certificate": certificate.run},
            tls=lambda: certificate.context,
            reload=certificate.reload,
        )

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        """Return each message to its sender."""
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for message in response:
            await response.send_str(message.data)
        return response


@pytest.mark.parametrize("way", ["signal", "change"])
async def test_open_sockets_go_on_over_a_reload(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP, or the change alone, gives new connections the new certificate; an open WebSocket goes on."""
    monkeypatch.setattr(certificates, "INTERVAL", 0.01 if way == "change" else 3600.0)
    certificate = certificate_of(pair(tmp_path, "one.example"))
    certificate.load()
    server = TlsServer(certificate)
    with bound("127.0.0.1", 0) as sockets:
        port = sockets[0].getsockname()[1]
        running = asyncio.create_task(run_node(server.node, sockets, SHUTDOWN))
        await eventually(lambda: server.node.health.started, within=PATIENCE)
        assert (await asyncio.to_thread(served_names, port))[0] == "one.example"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"https://127.0.0.1:{port}/echo", ssl=False) as socket_before,
        ):
            await socket_before.send_str("before")
            assert await socket_before.receive_str(timeout=PATIENCE) == "before"
            pair(tmp_path, "two.example")
            if way == "signal":
                os.kill(os.getpid(), signal.SIGHUP)

            async def replaced() -> bool:
                return (await asyncio.to_thread(served_names, port))[0] == "two.example"

            await eventually(replaced, within=PATIENCE)
            await socket_before.send_str("after")
            assert await socket_before.receive_str(timeout=PATIENCE) == "after"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, PATIENCE)


async def test_connections_before_the_first_certificate_are_closed(tmp_path: Path) -> None:
    """While a certificate is being ordered, a connection ends at once; afterwards it is served."""
    certificate = certificate_of(Pair(tmp_path / "certificate.pem", tmp_path / "key.pem"), optional=True)
    certificate.load()
    server = TlsServer(certificate)
    with bound("127.0.0.1", 0) as sockets:
        port = sockets[0].getsockname()[1]
        running = asyncio.create_task(run_node(server.node, sockets, SHUTDOWN))
        await eventually(lambda: server.node.health.started, within=PATIENCE)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(served_names, port)
        pair(tmp_path, "one.example")
        certificate.reload()
        assert (await asyncio.to_thread(served_names, port))[0] == "one.example"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, PATIENCE)


async def test_bytes_that_are_no_handshake_end_one_connection_alone(tmp_path: Path) -> None:
    """A client without TLS is disconnected, and the next one is served."""
    certificate = certificate_of(pair(tmp_path, "one.example"))
    certificate.load()
    server = TlsServer(certificate)
    with bound("127.0.0.1", 0) as sockets:
        port = sockets[0].getsockname()[1]
        running = asyncio.create_task(run_node(server.node, sockets, SHUTDOWN))
        await eventually(lambda: server.node.health.started, within=PATIENCE)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"HTTP" not in await asyncio.to_thread(plain.recv, 4096)
        assert (await asyncio.to_thread(served_names, port))[0] == "one.example"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, PATIENCE)
