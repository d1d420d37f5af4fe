"""The head of an answer that goes on for as long as the client stays.

The body has no length and no chunks: its end is the connection's, which every HTTP/1 client and proxy
understands. What can be cut short says so by itself, since a stream that ends in good order ends with a
farewell.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

_COMMON = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would gather what should leave at once
    "X-Content-Type-Options": "nosniff",
    "Server": "PicShare",
    "Connection": "close",
}


def stream_head(content_type: str, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a 200 whose body follows as it comes."""
    fields = {"Content-Type": content_type, **_COMMON, **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1")


def cross_origin(request: web.Request) -> dict[str, str]:
    """Return what lets the page of an admitted foreign origin read the answer."""
    origin = request.headers.get("Origin")
    return {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
