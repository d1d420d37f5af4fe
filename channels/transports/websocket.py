"""The WebSocket endpoint: judge a request, shake hands, and put the connection on a wire of its own."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from channels.transports.admission import Admission
from channels.transports.handshake import require_upgrade, switching_protocols
from channels.transports.poller import Poller
from channels.transports.takeover import begin, take_over
from channels.transports.transport_protocol import Listener, O
from channels.transports.websocket_format import WebSocketFormat
from channels.transports.websocket_protocol import WebSocketProtocol


class WebSocketEndpoint:
    """Answer requests for a WebSocket; `forms` are what clients may choose from, the first where they do not.

    `limit` bounds a message to us, `unsent` what a client may leave untaken, both in bytes.
    """

    def __init__(
        self,
        listener: Listener[O],
        forms: Sequence[WebSocketFormat],
        admission: Admission,
        poller: Poller,
        *,
        limit: int,
        unsent: int,
    ) -> None:
        self._listener: Listener[O] = listener
        self._forms = forms
        self._admission = admission
        self._poller = poller
        self._limit, self._unsent = limit, unsent

    async def handle(self, request: web.Request, address: str) -> web.StreamResponse:
        """Shake hands and return: the connection lives on.

        Raises `web.HTTPException` 400, 403, 426, 429 or 503 instead of a handshake.
        """
        self._admission.admit(request, address)
        key = require_upgrade(request)
        form, offered = self._choose(request)
        response = switching_protocols(key, form.name if offered else None)
        if await begin(request, response):
            wire = WebSocketProtocol(self._listener, form, address, limit=self._limit, unsent=self._unsent)
            take_over(request, wire, self._poller)
        return response

    def _choose(self, request: web.Request) -> tuple[WebSocketFormat, bool]:
        offered = request.headers.get("Sec-WebSocket-Protocol")
        form = choose_form(offered, request.query.get("format") or request.query.get("cf_protocol"), self._forms)
        if form is None:
            raise web.HTTPBadRequest(
                text=f"the protocols spoken here are {', '.join(form.name for form in self._forms)}"
            )
        return form, bool(offered)


def choose_form(offered: str | None, wanted: str | None, forms: Sequence[WebSocketFormat]) -> WebSocketFormat | None:
    """Return the form of a handshake: by offered subprotocols, else by the `format` asked for, else the first.

    None where the client insists on one that is not spoken.
    """
    if offered:
        names = [name.strip() for name in offered.split(",")]
        return next((form for name in names for form in forms if form.name == name), None)
    if wanted:
        return next((form for form in forms if form.name.endswith(f"-{wanted}")), None)
    return forms[0]
