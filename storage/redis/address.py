"""Addresses of Redis servers, and the URL of a cluster, which names some of its nodes.

    redis+cluster://user:password@host:port,host:port/?options    rediss+cluster:// uses TLS

One reachable node is enough, since it knows all the others. User, password and options apply to every node.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CLUSTER_SCHEMES = ("redis+cluster://", "rediss+cluster://")
DEFAULT_PORT = 6379
ABSENT = "none:"  # the URL of no Redis


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisAddress:
    """Address of one server: `path` of a unix socket, or `host` and `port`, the latter with `tls` or without."""

    host: str = "localhost"
    port: int = DEFAULT_PORT
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def is_cluster(url: str) -> bool:
    """Return whether a URL is that of a cluster."""
    return url.startswith(CLUSTER_SCHEMES)


def cluster_nodes(url: str) -> tuple[str, list[tuple[str, int]]]:
    """Return the URL of a cluster's first node, and (host, port) of all nodes named; raise `ValueError`."""
    parts = urlsplit(url)
    user, at, places = parts.netloc.rpartition("@")
    if parts.path not in {"", "/", "/0"}:
        raise ValueError("a cluster has no numbered databases: end it after the last host:port")
    nodes = [_node(place) for place in places.split(",")]
    (host, port), scheme = nodes[0], parts.scheme.removesuffix("+cluster")
    first = parts._replace(
        scheme=scheme, netloc=f"{user}{at}[{host}]:{port}" if ":" in host else f"{user}{at}{host}:{port}"
    )
    return first.geturl(), nodes


def _node(place: str) -> tuple[str, int]:
    # The error does not repeat the text: it may be half of a password that has a comma or slash in it.
    try:
        parts = urlsplit(f"//{place.strip()}")
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ValueError("each node should be host:port, with commas between them") from error
    if not host:
        raise ValueError("each node should be host:port, with commas between them")
    return host, port
