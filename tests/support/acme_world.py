"""A service that orders its certificate from Caddy's authority, in a network namespace where port 80 is free.

`python -m tests.support.acme_world FOLDER` prints one JSON object of what it saw.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography import x509

from server.acme import renewal
from server.composition.certificates import TlsParts, build_tls
from server.config.settings import Settings
from server.operation import certificates
from server.operation.health import Health
from server.operation.lifecycle import Node, ShutdownOptions, run_node
from server.operation.listening import bound
from server.operation.metrics import Metrics
from tests.engines.caddy import caddy, root_certificate
from tests.support.certificates import pair
from tests.support.eventually import eventually

PATIENCE = 60.0  # seconds
AUTHORITY = """
{
	admin off
	skip_install_trust
	auto_https disable_redirects
}
https://localhost:14000 {
	tls internal
	acme_server
}
"""


def issuer_and_serial(port: int, root: Path) -> tuple[str, int]:
    """Return issuer and serial number of the certificate at a port, verified for localhost; blocks."""
    context = ssl.create_default_context(cafile=str(root))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        found = x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True) or b"")
        return found.issuer.rfc4514_string(), found.serial_number


async def ordered(parts: TlsParts, port: int, root: Path, *, other_than: int = 0) -> tuple[str, int]:
    """Wait until the port has a certificate of the authority with another serial number, and return its facts."""

    async def issued() -> tuple[str, int]:
        assert parts.certificate.context is not None
        try:
            found = await asyncio.to_thread(issuer_and_serial, port, root)
        except (OSError, ssl.SSLError) as error:
            raise AssertionError(str(error)) from error
        assert found[1] != other_than
        return found

    return await eventually(issued, within=PATIENCE)


async def observe(folder: Path, parts: TlsParts, port: int, root: Path) -> dict[str, Any]:
    """Return what was seen of the first order, of plain HTTP, and of a renewal."""
    begun = time.monotonic()
    issuer, first = await ordered(parts, port, root)
    seconds = time.monotonic() - begun
    account = folder / "acme" / "account.pem"
    key = account.read_bytes()
    async with aiohttp.ClientSession() as session:
        async with session.post("http://127.0.0.1/a?b=c", allow_redirects=False) as response:
            redirect = [response.status, response.headers["Location"]]
        async with session.get("http://127.0.0.1/.well-known/acme-challenge/no-token") as response:
            unknown = response.status
    # A certificate of which little is left takes the place of the first one.
    pair(folder / "acme", "localhost", begins=timedelta(days=-80), ends=timedelta(days=10))
    _, second = await ordered(parts, port, root, other_than=first)
    return {
        "issuer": issuer,
        "seconds": round(seconds, 2),
        "renewed": second != first,
        "modes": [oct((folder / "acme" / name).stat().st_mode & 0o777) for name in ("account.pem", "key.pem")],
        "same_account": account.read_bytes() == key,
        "redirect": redirect,
        "unknown": unknown,
        "challenges_left": len(list((folder / "acme" / "challenges").iterdir())),
    }


async def main(folder: Path) -> None:
    """Run the authority and the service, and print what was seen."""
    root = root_certificate(folder / "ca")
    os.environ["REQUESTS_CA_BUNDLE"] = str(root)
    certificates.INTERVAL = renewal.INTERVAL = 0.1

    def serves() -> bool:
        try:
            issuer_and_serial(14000, root)
        except OSError as error:
            raise AssertionError(str(error)) from error
        return True

    async with caddy(folder / "ca", AUTHORITY, serves):
        settings = Settings().with_values("data", dir=folder)
        settings = settings.with_values(
            "acme", domains="localhost", directory="https://localhost:14000/acme/local/directory", email="a@example.com"
        )
        metrics = Metrics()
        parts = build_tls(settings, metrics)
        assert parts is not None
        node = Node(
            health=Health({}),
            app=web.Application(),
            services=parts.services,
            tls=lambda: parts.certificate.context,
            plain=parts.plain,
        )
        with bound("127.0.0.1", 443) as service, bound("127.0.0.1", 80) as plain:
            shutdown = ShutdownOptions(drain_delay=0, shutdown_deadline=1)
            running = asyncio.create_task(run_node(node, service, shutdown, plain_sockets=plain))
            seen = await observe(folder, parts, 443, root)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        issued = metrics.registry.get_sample_value("picshare_acme_orders_total", {"result": "issued"})
        failed = metrics.registry.get_sample_value("picshare_acme_orders_total", {"result": "failed"})
    sys.stdout.write(json.dumps({**seen, "issued": issued, "failed": failed}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
