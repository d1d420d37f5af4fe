"""Bind the port before anything else starts, so that a port in use costs nothing and is one clear sentence."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from server.errors import StartError

UNACKNOWLEDGED_TIMEOUT = 60.0  # seconds


@contextmanager
def bound(
    host: str, port: int, *, key: str = "server.port", unacknowledged_timeout: float = UNACKNOWLEDGED_TIMEOUT
) -> Iterator[list[socket.socket]]:
    """Bind every address of `host` and yield the sockets, not yet listening; raise `StartError`.

    Port 0 selects a free port. `key` names the setting in the error. On Linux, the kernel ends an accepted connection
    whose peer acknowledges nothing of what is sent for `unacknowledged_timeout` seconds (TCP_USER_TIMEOUT, tcp(7)).
    """
    with ExitStack() as stack:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise StartError(f"The host {host} cannot be resolved: {error.strerror}.") from error
        if port == 0:
            addresses = addresses[:1]
        yield [
            stack.enter_context(_with_timeout(_socket(family, address, host, port, key), unacknowledged_timeout))
            for family, address in dict.fromkeys((item[0], item[4]) for item in addresses)
        ]


def _socket(family: int, address: object, host: str, port: int, key: str) -> socket.socket:
    # BSD and macOS allow binding one address although another program listens on all of them, so try to connect.
    if port and _accepts_connections(family, address):
        raise StartError(_in_use(host, port, key))
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)  # type: ignore[arg-type]
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(_in_use(host, port, key)) from error
        hint = "; ports below 1024 need root" if error.errno == errno.EACCES else ""
        raise StartError(f"Cannot listen on {host}:{port}: {error.strerror}{hint}.") from error
    return listener


def _with_timeout(listener: socket.socket, seconds: float) -> socket.socket:
    # aiohttp waits without limit for a client to read a response. Accepted connections inherit the option.
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
    return listener


def _accepts_connections(family: int, address: object) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(address) == 0  # type: ignore[arg-type]


def _in_use(host: str, port: int, key: str) -> str:
    return (
        f"Port {port} on {host} is in use by another program; stop it, or choose another port with --port or {key}, "
        f"for example {port + 1 if port < 65535 else 8080}."
    )
