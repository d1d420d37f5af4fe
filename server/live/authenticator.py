"""Authenticate live connections."""

from __future__ import annotations

import time
from collections.abc import Callable

from channels.contract.errors import TokenExpiredError, TokenInvalidError
from channels.contract.ports import Identity
from server.identity.tokens import AccessTokens, TokenError
from server.live.store_errors import store_errors
from storage.limits.tickets import Tickets


class LiveAuthenticator:
    """Authentication by access token, or by a one-use ticket of `POST /live/token`."""

    def __init__(self, tokens: AccessTokens, tickets: Tickets, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._tickets = tickets
        self._clock = clock

    async def authenticate(self, token: str) -> Identity:
        """Return the identity; raise `TokenExpiredError`, `TokenInvalidError` or `LiveUnavailableError`."""
        # A JWT has three parts; a ticket contains no dot.
        return self._of_token(token) if token.count(".") == 2 else await self._of_ticket(token)

    async def confirm(self, identity: Identity) -> None:
        """Raise `TokenInvalidError` if the session was revoked, or `LiveUnavailableError`."""
        with store_errors():
            revoked = await self._tickets.is_revoked(identity.session, identity.user_id)
        if revoked:
            raise TokenInvalidError("The session has ended. Sign in again.")

    def _of_token(self, token: str) -> Identity:
        try:
            claims = self._tokens.verify(token)
        except TokenError as error:
            raise (TokenExpiredError if error.expired else TokenInvalidError)(str(error)) from error
        return Identity(user_id=claims.user_id, session=claims.session, expires_at=float(claims.expires_at))

    async def _of_ticket(self, token: str) -> Identity:
        with store_errors():
            # The length is checked first, so that no client makes Redis hash arbitrary data.
            payload = await self._tickets.redeem(token) if 0 < len(token) <= 200 else None
        if payload is None:
            raise TokenInvalidError("The ticket is not valid, or was used already.")
        if payload["expires_at"] <= self._clock():
            raise TokenExpiredError("The access token for which the ticket was issued has expired.")
        return Identity(user_id=payload["user"], session=payload["session"], expires_at=float(payload["expires_at"]))
