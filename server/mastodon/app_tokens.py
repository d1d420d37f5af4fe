"""Tokens of apps that registered themselves: those to which this interface answers where PicShare has the same path."""

from __future__ import annotations

from collections import OrderedDict

from aiohttp import web

from server.edge.client_addresses import ClientAddresses
from server.identity.api_tokens import ApiTokens
from server.identity.errors import RateLimitedError
from server.identity.opaque_tokens import is_opaque
from server.identity.tokens import TokenError
from storage.errors import NotFoundError, UnavailableError
from storage.postgres.database import Queryable
from storage.stores.credentials import oauth_clients

KNOWN = 10_000  # applications


class AppTokens:
    """Finds out whether a request has such a token; what does not answer is left to the guard of the route."""

    def __init__(self, db: Queryable, tokens: ApiTokens, addresses: ClientAddresses) -> None:
        self._db = db
        self._tokens = tokens
        self._addresses = addresses
        # It never changes whether an application has an owner.
        self._known: OrderedDict[int, bool] = OrderedDict()

    async def used_by(self, request: web.Request) -> bool:
        """Return whether a request has the token of an app that registered itself."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not is_opaque(token.strip()):
            return False
        try:
            found = await self._tokens.find(token.strip(), address=self._addresses.of(request))
            return found.client_id is not None and await self._registered_itself(found.client_id)
        except (TokenError, RateLimitedError, NotFoundError, UnavailableError):
            return False

    async def _registered_itself(self, client_id: int) -> bool:
        known = self._known.get(client_id)
        if known is None:
            known = (await oauth_clients.get(self._db, client_id)).owner_id is None
            self._known[client_id] = known
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        return known
