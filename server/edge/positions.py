"""The position of a client's last write, which it carries to its reads in a cookie, or in a header field.

See `storage.postgres.carried_position`. Browsers return the cookie by themselves; programs may return the field.
"""

from __future__ import annotations

from aiohttp import web

from storage.postgres.carried_position import CarriedPosition
from storage.postgres.replication import POSITION_TTL
from storage.postgres.wal_position import WalPosition

COOKIE = "picshare_position"
HEADER = "X-Picshare-Position"


def carried_by(request: web.BaseRequest) -> CarriedPosition:
    """Return what a request carries; a text that is no position counts as none."""
    text = request.headers.get(HEADER)
    if text is None and COOKIE in request.headers.get("Cookie", ""):
        text = request.cookies.get(COOKIE)
    if text is None:
        return CarriedPosition()
    try:
        return CarriedPosition(WalPosition.decode(text))
    except ValueError:
        return CarriedPosition()


def add_position(response: web.StreamResponse, position: WalPosition, *, secure: bool) -> None:
    """Let the client carry a position; with `secure` over HTTPS alone."""
    text = position.encode()
    response.headers[HEADER] = text
    response.set_cookie(
        COOKIE, text, max_age=round(POSITION_TTL), path="/", httponly=True, secure=secure, samesite="Lax"
    )
