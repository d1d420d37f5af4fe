"""Reading of request bodies: uncompressed, and at a bounded pace instead of within a total time.

A total time would refuse what a slow network can send: ten megabytes take over a minute at 1.2 Mbit/s. So a body may
take as long as it likes while its bytes keep coming. A client that stops, or that sends a byte now and then to hold
the connection, is refused.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import StreamReader, web

from locales.sentences import marked
from server.edge.problem import ProblemError


@dataclass(frozen=True, kw_only=True)
class BodyPace:
    """Slowest pace of a body: `idle_timeout` seconds without a byte, `min_rate` bytes per second on average.

    The average is over `rate_window` seconds. The defaults of the settings are in the section `[upload]`.
    """

    idle_timeout: float
    min_rate: int
    rate_window: float = 30.0


class SlowBodyError(Exception):
    """A body arrives too slowly."""


class BodyReader:
    """Reader of one body that enforces its pace."""

    def __init__(self, content: StreamReader, pace: BodyPace) -> None:
        self._content = content
        self._pace = pace
        # A leaky bucket of seconds: waiting empties it, arriving bytes fill it, and a full one holds a window.
        self._slack = pace.rate_window

    async def read(self) -> bytes:
        """Return the next piece of the body, empty at its end; raise `SlowBodyError`."""
        loop, pace = asyncio.get_running_loop(), self._pace
        started = loop.time()
        try:
            async with asyncio.timeout(min(self._slack, pace.idle_timeout)):
                piece = await self._content.readany()
        except TimeoutError as error:
            raise SlowBodyError from error
        # Only waiting counts: the time that the service itself takes between two reads is not the client's.
        waited = loop.time() - started
        self._slack = min(pace.rate_window, self._slack - waited + len(piece) / pace.min_rate)
        return piece


def refuse_encoding(request: web.BaseRequest) -> None:
    """Raise a 415 for a compressed body: a few bytes of it could expand to gigabytes."""
    encodings = request.headers.getall("Content-Encoding", [])
    if any(encoding.strip().lower() != "identity" for encoding in encodings):
        raise ProblemError(
            415, "unsupported_encoding", "Send the body uncompressed, without the header Content-Encoding."
        )


def body_timeout() -> ProblemError:
    """Return the 408 for a body that arrives too slowly; the connection is closed after it."""
    return ProblemError(
        408,
        "body_timeout",
        marked("The body arrived too slowly. Send it again, over a faster connection."),
        headers={"Connection": "close"},
    )


async def read_limited(request: web.BaseRequest, pace: BodyPace, limit: int) -> bytes:
    """Return the body of a request, which may have `limit` bytes; raise a 408, 413 or 415."""
    refuse_encoding(request)
    # A declared length is refused at once; a chunked body has none and is measured while it is read.
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    reader, body = BodyReader(request.content, pace), bytearray()
    try:
        while piece := await reader.read():
            body += piece
            if len(body) > limit:
                raise _too_large(limit)
    except SlowBodyError as error:
        raise body_timeout() from error
    return bytes(body)


def _too_large(limit: int) -> ProblemError:
    # The rest of the body is still arriving, and one without a length may never end.
    return ProblemError(
        413, "body_too_large", f"This body may have at most {limit} bytes.", headers={"Connection": "close"}
    )
