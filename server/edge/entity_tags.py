"""Entity tags of responses, and the 304 for a client that has the response already (RFC 9110, 8.8.3 and 13.1.2).

A tag is a hash of the body, so it changes with everything that a client can see, and needs no rule for what that is.
A 304 saves the transfer: the response is charged, checked and read as before.
"""

from __future__ import annotations

from typing import cast

import xxhash
from aiohttp import web

# Each viewer has a response of their own, which only the browser may keep, and not use without asking.
_CACHING = "private, no-cache"


def unless_known(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Return a 200 with its entity tag, or a 304 if the client has it already. Its body is in memory.

    Only first pages get a tag: later ones are read once.
    """
    if "cursor=" in request.rel_url.raw_query_string:
        return response
    # Half a microsecond for a page of 45 KB. It need not resist attackers: one who makes two bodies with the same hash
    # only delays an edit of the own photo, until anything else changes.
    tag = xxhash.xxh3_128_hexdigest(cast(bytes, cast(web.Response, response).body))
    headers = {"ETag": f'W/"{tag}"', "Cache-Control": _CACHING}
    # The tag is weak, so that a proxy may compress the response.
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    response.headers.update(headers)
    return response
