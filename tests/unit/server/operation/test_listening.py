"""Binding the port: early, on every address, and with a sentence when it is taken."""

from __future__ import annotations

import errno
import socket
import sys

import pytest

from server.errors import StartError
from server.operation.listening import bound


def test_a_taken_port_is_named_with_another(free_port: int) -> None:
    """A port that somebody listens on is named, with what to do and an example."""
    with socket.create_server(("127.0.0.1", free_port)):
        with pytest.raises(StartError) as caught, bound("127.0.0.1", free_port):
            pass
        assert f"Port {free_port} on 127.0.0.1 is taken" in str(caught.value)
        assert "--port" in str(caught.value)


def test_a_port_that_is_taken_on_all_addresses_is_taken_on_one(free_port: int) -> None:
    """A listener on every interface also stands in the way of one address."""
    everywhere = socket.create_server(("0.0.0.0", free_port))
    with everywhere, pytest.raises(StartError, match="taken"), bound("127.0.0.1", free_port):
        pass


def test_port_zero_takes_one_free_port() -> None:
    """Port 0 binds one socket to a free port."""
    with bound("127.0.0.1", 0) as sockets:
        assert len(sockets) == 1
        assert sockets[0].getsockname()[1] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own deadline, which only Linux has")
def test_who_takes_nothing_of_an_answer_is_cut_off() -> None:
    """A peer that does not read for a while loses its connection, so that nothing is kept for it for ever."""
    with bound("127.0.0.1", 0, patience=0.3) as sockets, socket.socket() as peer:
        sockets[0].listen()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(sockets[0].getsockname())
        connection, _ = sockets[0].accept()
        connection.settimeout(10)
        with connection, pytest.raises(TimeoutError) as ended:
            connection.sendall(bytes(50_000_000))
        assert ended.value.errno == errno.ETIMEDOUT


def test_an_unknown_host_is_one_sentence() -> None:
    """A host name that does not resolve is named."""
    with pytest.raises(StartError, match=r"The host nobody\.invalid is not known"), bound("nobody.invalid", 0):
        pass


def test_the_port_is_free_again_afterwards(free_port: int) -> None:
    """ShutdownOptions closes the sockets."""
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
