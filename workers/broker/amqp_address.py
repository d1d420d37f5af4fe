"""URLs of RabbitMQ, which may name several nodes of one cluster. Imports no driver.

    amqp://user:password@host:port,host:port/vhost?options    amqps:// uses TLS

User, password, virtual host and options apply to every node.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SCHEMES = ("amqp://", "amqps://")

_PLACE = re.compile(r"(?P<host>\[[^\]]+\]|[^:/\[\]]*)(?::(?P<port>[0-9]{1,5}))?")  # IPv6, name
_MAX_PORT = 65_535


def node_urls(url: str) -> list[str]:
    """Return a URL for each node that `url` names, in order; raise `ValueError`, whose text repeats no part of it."""
    parts = urlsplit(url)
    user, at, places = parts.netloc.rpartition("@")
    if "@" in user:
        raise ValueError("write an @ in the user or the password as %40")
    nodes = [place.strip() for place in places.split(",")]
    for node in nodes:
        _require_place(node, alone=len(nodes) == 1)
    if len(nodes) == 1:
        return [url]
    return list(dict.fromkeys(parts._replace(netloc=f"{user}{at}{node}").geturl() for node in nodes))


def node_name(url: str) -> str:
    """Return host and port of a URL of `node_urls`."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _require_place(place: str, *, alone: bool) -> None:
    # The error does not repeat the text: it may be half of a password that has a comma or slash in it.
    match = _PLACE.fullmatch(place)
    if match is None or not (match["host"] or alone):
        raise ValueError("each node should be host:port, with commas between them")
    if match["port"] is not None and not 0 < int(match["port"]) <= _MAX_PORT:
        raise ValueError(f"a port should be a number from 1 to {_MAX_PORT}")
