"""A server as a process of its own that can be killed or frozen: `python killable.py NAME PORT`.

It answers each request with 200 and its name. A request for `/poison` ends the connection without a response, one for
`/held` gets none, and one for `/large` gets 20 MB. A socket gets the name and stays open. Standard output has a line
for each request: method and path. It starts in a moment, because it imports nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import sys

_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + bytes(20_000_000)


async def _serve(name: str, port: int) -> None:
    body = name.encode()
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            length = int(head.lower().partition("content-length:")[2].partition("\r\n")[0] or 0)
            await reader.readexactly(length)
            method, path, _ = head.split(" ", 2)
            sys.stdout.write(f"{method} {path}\n")
            sys.stdout.flush()
            if path.endswith("/poison"):
                writer.transport.abort()
                return
            if path == "/connection/websocket":
                writer.write(_SWITCHING + body)
            if path.endswith(("/held", "/websocket")):
                await asyncio.Event().wait()
            writer.write(_LARGE if path.endswith("/large") else response)
            await writer.drain()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
