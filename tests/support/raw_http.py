"""Send raw HTTP, for requests that no client library would send."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class RawResponse:
    """The status and the full text of a response."""

    status: int
    text: str


async def exchange(port: int, request: bytes, *, within: float = 1.0) -> RawResponse:
    """Send bytes and return the response; fail if none arrives `within` seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(within):
            sending = asyncio.create_task(_send(writer, request))
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.read(65536)
            sending.cancel()
        return RawResponse(int(head.split(b" ", 2)[1]), (head + body).decode("latin-1"))
    finally:
        writer.close()


async def _send(writer: asyncio.StreamWriter, request: bytes) -> None:
    try:
        writer.write(request)
        await writer.drain()
    except ConnectionError:
        # Expected: the server has answered and closed the connection before it has read everything.
        return


def post_photo(token: str, body: bytes, *, declared: int | None = None, boundary: str = "b", more: str = "") -> bytes:
    """Return an upload request, whose declared length may differ from that of its body."""
    length = len(body) if declared is None else declared
    head = (
        f"POST /api/v1/photos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {length}\r\n{more}\r\n"
    )
    return head.encode() + body


def part(name: str, data: bytes, *, header: str = "") -> bytes:
    """Return one part of a form with the boundary `b`."""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n{header}\r\n'
    return head.encode() + data + b"\r\n"
