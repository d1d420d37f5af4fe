"""What this machine allows: open files of a process, and ports of an address."""

from __future__ import annotations

import ipaddress
import resource
import socket
from collections.abc import Sequence
from pathlib import Path

from loadtest.errors import LoadTestError

BESIDE_SOCKETS = 300  # files of a process that are not live sockets: connections for requests, libraries
PORTS_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_PORTS = 16_384  # where the system does not tell (RFC 6335: 49152–65535)
_PORT_MARGIN = 1_000  # ports of an address that others may use, or that wait after a close
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def allow_files(sockets: int, processes: int) -> None:
    """Raise this process's limit of open files to what one of `processes` needs; raise `LoadTestError` if it cannot.

    Children inherit the limit.
    """
    needed = -(-sockets // processes) + BESIDE_SOCKETS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in (soft, hard) and needed > hard:
        enough = -(-sockets // max(1, hard - BESIDE_SOCKETS))
        raise LoadTestError(
            f"A tester process needs {needed:,} open files, and this machine allows {hard:,}. "
            f"Take --processes {enough}, or raise the limit (ulimit -Hn {needed}; LimitNOFILE={needed} of a service)."
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        except (ValueError, OSError) as error:
            raise LoadTestError(
                f"The limit of open files cannot be raised from {soft:,} to {needed:,} ({error}); take --processes."
            ) from error


def choose_sources(host: str, sockets: int, endpoints: int, given: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses to connect from, enough for `sockets` to `endpoints` ports of `host`; () leaves it open.

    An address has about 28,000 ports towards each endpoint. On the loopback this machine has sixteen million
    addresses, elsewhere those that are given. Raises `LoadTestError` when they do not suffice.
    """
    room = ports() - _PORT_MARGIN
    needed = -(-sockets // (room * endpoints))
    if given:
        for source in given:
            _check_source(source)
        sources = tuple(given)
    elif needed > 1 and _is_loopback(host):
        sources = tuple(f"127.0.0.{number}" for number in range(1, min(needed, 254) + 1))
    else:
        sources = ()
    if needed > max(1, len(sources)):
        raise LoadTestError(
            f"{sockets:,} sockets need {needed} source addresses of about {room:,} ports each; give them with "
            "--source, repeated (addresses of this machine), or widen net.ipv4.ip_local_port_range."
        )
    return sources


def ports() -> int:
    """Return how many ports the system gives to connections of one address."""
    try:
        low, high = PORTS_FILE.read_text().split()
        return int(high) - int(low) + 1
    except (OSError, ValueError):
        return _USUAL_PORTS


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in _LOOPBACK
    except ValueError:
        return host == "localhost"


def _check_source(source: str) -> None:
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(source).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((source, 0))
    except ValueError as error:
        raise LoadTestError(f"--source {source} is not an IP address.") from error
    except OSError as error:
        raise LoadTestError(f"--source {source} is not an address of this machine: {error.strerror}.") from error
