"""Addresses of Redis: the URL of one server, or that of a cluster, which names some of its nodes.

    redis+cluster://user:password@host:port,host:port/?options    rediss+cluster:// speaks TLS

Any of the nodes that answers is enough: it tells of all others. User, password and options hold for each.
"""

from __future__ import annotations

from urllib.parse import urlsplit

CLUSTER_SCHEMES = ("redis+cluster://", "rediss+cluster://")
DEFAULT_PORT = 6379


def is_cluster(url: str) -> bool:
    """Tell whether a URL is that of a cluster."""
    return url.startswith(CLUSTER_SCHEMES)


def cluster_nodes(url: str) -> tuple[str, list[tuple[str, int]]]:
    """Return the first node's URL, as the driver reads it, and (host, port) of all nodes; raise ValueError."""
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
    # What was given is not repeated in the error: it may be half of a password with a comma or slash in it.
    try:
        parts = urlsplit(f"//{place.strip()}")
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ValueError("each node should be host:port, with commas between them") from error
    if not host:
        raise ValueError("each node should be host:port, with commas between them")
    return host, port
