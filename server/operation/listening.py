"""Take the port before anything else is started, so that a taken one costs nothing and reads as a sentence."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from server.errors import StartError

PATIENCE = 60.0  # seconds


@contextmanager
def bound(
    host: str, port: int, *, key: str = "server.port", patience: float = PATIENCE
) -> Iterator[list[socket.socket]]:
    """Bind every address of `host` and yield the sockets, not yet listening; raise `StartError`.

    Port 0 takes one free port. `key` names the setting in the error. A connection whose peer takes nothing of
    what is sent to it for `patience` seconds ends, where the kernel can see to it (Linux, tcp(7)).
    """
    with ExitStack() as stack:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise StartError(f"The host {host} is not known: {error.strerror}.") from error
        if port == 0:
            addresses = addresses[:1]
        yield [
            stack.enter_context(_with_patience(_socket(family, address, host, port, key), patience))
            for family, address in dict.fromkeys((item[0], item[4]) for item in addresses)
        ]


def _socket(family: int, address: object, host: str, port: int, key: str) -> socket.socket:
    # BSD and macOS let one bind an address although another program listens on all of them; a connection tells.
    if port and _answers(family, address):
        raise StartError(_taken(host, port, key))
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)  # type: ignore[arg-type]
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(_taken(host, port, key)) from error
        hint = "; ports below 1024 need root" if error.errno == errno.EACCES else ""
        raise StartError(f"{host}:{port} cannot be listened on: {error.strerror}{hint}.") from error
    return listener


def _with_patience(listener: socket.socket, seconds: float) -> socket.socket:
    # aiohttp waits for ever for somebody to read an answer. Accepted connections inherit this from the listener.
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
    return listener


def _answers(family: int, address: object) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(address) == 0  # type: ignore[arg-type]


def _taken(host: str, port: int, key: str) -> str:
    return (
        f"Port {port} on {host} is taken by another program; stop it, or choose another with --port or {key}, "
        f"for example {port + 1 if port < 65535 else 8080}."
    )
