"""Processor time that TLS in the process costs: for a handshake, and for a request over an open connection.

The yardstick is the same process without TLS. The client is not counted; it sends one request after the other.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.api_process import api_engines, serving
from bench.report import RATIO, Figure, figure, ratios
from tests.support.certificates import pair
from tests.support.eventually import eventually
from tests.support.service import Service

GROUP = "GET /healthz with TLS in the process"
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_END = b'{"status":"alive"}'
Connect = Callable[[int], socket.socket]


async def measure(*, quick: bool) -> list[Figure]:
    """Return the microseconds of processor time with TLS and without it, for a connection and for a request."""
    runs, number = (3, 200) if quick else (7, 1000)
    async with api_engines() as (folder, env):
        files = pair(folder, "localhost")
        tls = {"PICSHARE_SERVER__TLS_CERTIFICATE": str(files.certificate), "PICSHARE_SERVER__TLS_KEY": str(files.key)}
        async with serving(folder, env) as plain, serving(folder, {**env, **tls}, ready=False) as secure:
            connect = _encrypted(files.certificate)
            await eventually(lambda: _answers(connect, secure), within=60)
            measured: dict[str, list[float]] = {"c": [], "C": [], "r": [], "R": []}
            for _ in range(runs):
                for key, service, how in (("c", plain, _plain), ("C", secure, connect)):
                    measured[key].append(await asyncio.to_thread(_connections, service, how, number))
                for key, service, how in (("r", plain, _plain), ("R", secure, connect)):
                    measured[key].append(await asyncio.to_thread(_requests, service, how, 5 * number))
    return [
        figure(GROUP, "connection with a handshake (TLS 1.3, P-256) and a request", "µs", measured["C"]),
        figure(GROUP, "connection without TLS and a request", "µs", measured["c"]),
        figure(
            GROUP,
            "the handshake",
            "µs",
            [one - other for one, other in zip(measured["C"], measured["c"], strict=True)],
        ),
        figure(GROUP, "request over TLS", "µs", measured["R"]),
        figure(GROUP, "request without TLS", "µs", measured["r"]),
        figure(GROUP, "request, ratio to one without TLS", RATIO, ratios(measured["R"], measured["r"])),
    ]


def _plain(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def _encrypted(certificate: Path) -> Connect:
    def connect(port: int) -> socket.socket:
        # A new context for each connection, so that no session is resumed.
        context = ssl.create_default_context(cafile=str(certificate))
        return context.wrap_socket(_plain(port), server_hostname="localhost")

    return connect


def _answers(connect: Connect, service: Service) -> bool:
    try:
        with connect(_port(service)) as connection:
            _request(connection)
    except OSError as error:
        raise AssertionError(str(error)) from error
    return True


def _request(connection: socket.socket) -> None:
    connection.sendall(_REQUEST)
    received = b""
    while not received.endswith(_END):
        more = connection.recv(4096)
        if not more:
            raise RuntimeError(f"the connection ended after {received!r}")
        received += more


def _connections(service: Service, connect: Connect, number: int) -> float:
    """Return the microseconds of the process for each connection with one request; blocks."""
    before = _processor_seconds(service)
    for _ in range(number):
        with connect(_port(service)) as connection:
            _request(connection)
    return (_processor_seconds(service) - before) / number * 1e6


def _requests(service: Service, connect: Connect, number: int) -> float:
    """Return the microseconds of the process for each request of one connection; blocks."""
    with connect(_port(service)) as connection:
        before = _processor_seconds(service)
        for _ in range(number):
            _request(connection)
        return (_processor_seconds(service) - before) / number * 1e6


def _port(service: Service) -> int:
    return int(service.url.rpartition(":")[2])


def _processor_seconds(service: Service) -> float:
    times = psutil.Process(service.pid).cpu_times()
    return float(times.user + times.system)
