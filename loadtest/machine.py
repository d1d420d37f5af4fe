"""Limits of this machine: open files of a process, and ports of an address."""

from __future__ import annotations

import ipaddress
import resource
import socket
from collections.abc import Sequence
from pathlib import Path

from loadtest.errors import LoadTestError

OTHER_FILES = 300  # files of a process other than live sockets: HTTP connections, libraries
PORTS_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_PORTS = 16_384  # if the system does not report them (RFC 6335: 49152–65535)
_PORT_MARGIN = 1_000  # ports of an address that other programs use, or that are in TIME_WAIT
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def allow_files(sockets: int, processes: int) -> None:
    """Raise this process's limit of open files to the need of one of `processes`; raise `LoadTestError` on failure.

    Children inherit the limit.
    """
    needed = -(-sockets // processes) + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in (soft, hard) and needed > hard:
        enough = -(-sockets // max(1, hard - OTHER_FILES))
        raise LoadTestError(
            f"A tester process needs {needed:,} open files, and this machine allows {hard:,}. "
            f"Use --processes {enough}, or raise the limit (ulimit -Hn {needed}; LimitNOFILE={needed} of a service)."
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        except (ValueError, OSError) as error:
            raise LoadTestError(
                f"The limit of open files cannot be raised from {soft:,} to {needed:,} ({error}); use more --processes."
            ) from error


def choose_sources(host: str, sockets: int, endpoints: int, given: Sequence[str]) -> tuple[str, ...]:
    """Return the source addresses for `sockets` connections to `endpoints` ports of `host`; () for the default.

    An address has about 28,000 ports for each endpoint. The loopback network has sixteen million addresses; for any
    other host only the `given` ones are used. Raises `LoadTestError` if they are not enough.
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
            f"{sockets:,} sockets need {needed} source addresses of about {room:,} ports each; pass them with "
            "--source, repeated (addresses of this machine), or widen net.ipv4.ip_local_port_range."
        )
    return sources


def ports() -> int:
    """Return how many ports the system uses for outgoing connections of one address."""
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
