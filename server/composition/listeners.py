"""The bound sockets of a role: its service, plain HTTP in addition to TLS, or the health of a worker."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

from server.composition.roles import EVERYTHING, SERVE_ROLES, WORKER_ROLES
from server.config.settings import Settings
from server.operation.listening import bound
from server.operation.process_link import Inherited


def sockets_of(
    role: str, settings: Settings, stack: AsyncExitStack, inherited: Inherited | None
) -> tuple[list[socket.socket], list[socket.socket]]:
    """Return the bound sockets of the service and of plain HTTP: those of the parent, or bound here."""
    if inherited is not None:
        service, plain = ([socket.socket(fileno=number) for number in some] for some in inherited.listeners)
        return service, plain
    sockets = _bind(role, settings, stack)
    return sockets, [] if role in WORKER_ROLES else stack.enter_context(bound_plain(settings))


def _bind(role: str, settings: Settings, stack: AsyncExitStack) -> list[socket.socket]:
    """Bind the port of a role: that of the service, or a worker's health port if one is set."""
    if role == EVERYTHING or role in SERVE_ROLES:
        return stack.enter_context(bound(settings.server.host, settings.server.port))
    section = settings.worker
    if section.health_port is None:
        return []
    return stack.enter_context(bound(section.health_host, section.health_port, key="worker.health_port"))


@contextmanager
def bound_plain(settings: Settings) -> Iterator[list[socket.socket]]:
    """Bind the port of plain HTTP if certificates are ordered by ACME, and yield the sockets; raise `StartError`."""
    if not settings.acme.domains:
        yield []
        return
    with bound(settings.server.host, settings.acme.http_port, key="acme.http_port") as sockets:
        yield sockets
