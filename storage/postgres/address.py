"""URLs of PostgreSQL, which may name several servers, one of which accepts writes. Imports no driver.

    postgresql://user:password@host:port,host:port/database?target_session_attrs=read-write

The form is that of libpq, so `psql` and `pg_dump` accept the same URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

SCHEMES = ("postgresql://", "postgres://")

_PLACE = re.compile(r"(?P<host>\[[^\]]+\]|/.*|[^:/\[\]]+)(?::(?P<port>[0-9]{1,5}))?")  # IPv6, socket directory, name
_MAX_PORT = 65_535
_WRITABLE = "read-write"
_ATTRIBUTES = (_WRITABLE, "primary", "any")


def server_urls(url: str) -> list[str]:
    """Return a URL for each server that `url` names, in order; raise `ValueError`, whose text repeats no part of it.

    With several servers, each URL requires a server that accepts writes, unless `url` says "any". A "primary" has to
    accept writes, too: one that was made read-only during a failover is of no more use than a standby.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    user, at, hosts = parts.netloc.rpartition("@")
    if "@" in user:
        raise ValueError("write an @ in the user or the password as %40")
    wanted = options.pop("target_session_attrs", None)
    if wanted not in {None, *_ATTRIBUTES}:
        raise ValueError(f"target_session_attrs should be one of {', '.join(_ATTRIBUTES)}")
    servers = _servers(unquote(hosts), options)
    if wanted == "primary" or (wanted is None and len(servers) > 1):
        wanted = _WRITABLE
    for option in ("host", "port"):
        options.pop(option, None)
    attribute = {} if wanted is None else {"target_session_attrs": wanted}
    start = f"{parts.scheme}://{user}{at}{parts.path}"
    queries = (urlencode({**options, **server, **attribute}) for server in servers)
    return list(dict.fromkeys(f"{start}?{query}".removesuffix("?") for query in queries))


def require_one_server(url: str) -> None:
    """Raise `ValueError` unless `url` names one server, of which nothing is required: it may be a standby."""
    urls = server_urls(url)
    if len(urls) > 1:
        raise ValueError("each URL should name one server")
    if "target_session_attrs" in dict(parse_qsl(urlsplit(urls[0]).query)):
        raise ValueError("a URL should not have target_session_attrs")


def server_name(url: str) -> str:
    """Return host and port, or the directory of the socket, of a URL of `server_urls`."""
    options = dict(parse_qsl(urlsplit(url).query))
    return ":".join(options[name] for name in ("host", "port") if name in options) or "localhost"


def _servers(hosts: str, options: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the options `host` and `port` of each server; none where the driver's defaults apply."""
    places = (hosts or options.get("host", "")).split(",")
    ports = [] if hosts else [port for port in options.get("port", "").split(",") if port]
    if len(ports) not in {0, 1, len(places)}:
        raise ValueError("there should be one port, or as many as hosts")
    if places == [""]:
        return [{"port": port} for port in ports] or [{}]
    return [_server(place, ports[index % len(ports)] if ports else None) for index, place in enumerate(places)]


def _server(place: str, port: str | None) -> dict[str, str]:
    # The error does not repeat the text: it may be half of a password that has a comma or slash in it.
    match = _PLACE.fullmatch(place.strip())
    if match is None:
        raise ValueError("each server should be host:port, with commas between them")
    port = port or match["port"]
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
        raise ValueError(f"a port should be a number from 1 to {_MAX_PORT}")
    return {"host": match["host"], **({} if port is None else {"port": port})}
