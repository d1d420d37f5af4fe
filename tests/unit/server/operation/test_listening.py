"""Binding the port: on every address, and with one sentence if it is in use."""

from __future__ import annotations

import errno
import socket
import sys

import pytest

from server.errors import StartError
from server.operation.listening import bound


def test_a_port_in_use_is_named_with_a_free_one(free_port: int) -> None:
    """The error names the port in use, the option to choose another, and an example."""
    with socket.create_server(("127.0.0.1", free_port)):
        with pytest.raises(StartError) as caught, bound("127.0.0.1", free_port):
            pass
        assert f"Port {free_port} on 127.0.0.1 is in use" in str(caught.value)
        assert "--port" in str(caught.value)


def test_a_port_in_use_on_all_addresses_is_in_use_on_each(free_port: int) -> None:
    """A listener on every interface also occupies the port of one address."""
    everywhere = socket.create_server(("0.0.0.0", free_port))
    with everywhere, pytest.raises(StartError, match="in use"), bound("127.0.0.1", free_port):
        pass


def test_port_zero_selects_a_free_port() -> None:
    """Port 0 binds one socket to a free port."""
    with bound("127.0.0.1", 0) as sockets:
        assert len(sockets) == 1
        assert sockets[0].getsockname()[1] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has TCP_USER_TIMEOUT")
def test_a_peer_that_does_not_read_is_disconnected() -> None:
    """A peer that does not read a response loses its connection after the timeout."""
    with bound("127.0.0.1", 0, unacknowledged_timeout=0.3) as sockets, socket.socket() as peer:
        sockets[0].listen()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(sockets[0].getsockname())
        connection, _ = sockets[0].accept()
        connection.settimeout(10)
        with connection, pytest.raises(TimeoutError) as ended:
            connection.sendall(bytes(50_000_000))
        assert ended.value.errno == errno.ETIMEDOUT


def test_an_unknown_host_is_one_sentence() -> None:
    """The error names a host that cannot be resolved."""
    with pytest.raises(StartError, match=r"The host unknown\.invalid cannot be resolved"), bound("unknown.invalid", 0):
        pass


def test_the_sockets_are_closed_on_leaving(free_port: int) -> None:
    """After the context the port can be bound again."""
    with bound("127.0.0.1", free_port):
        pass
    with bound("127.0.0.1", free_port):
        pass


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
