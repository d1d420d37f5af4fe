"""What has access to an account by tokens: the user's own programs, and applications; and its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from locales.sentences import sentence
from server.actions import security_notices
from server.actions.sessions import SessionService
from server.identity.clients import Client
from server.identity.opaque_tokens import TokenKind, digest, new_token
from storage import ids
from storage.errors import ConflictError, NotFoundError
from storage.notifications import SecurityEvent
from storage.oauth import ConnectedApplication, PersonalToken
from storage.postgres.database import Database
from storage.stores import account_locks
from storage.stores.credentials import api_tokens, oauth_clients, token_lists
from storage.stores.credentials.api_tokens import NewToken

QUOTA = "writes"


class NewPersonalToken(NamedTuple):
    """A user's own token, and its text, which is shown this once."""

    shown: PersonalToken
    text: str


class TokenAccess:
    """Tokens of a user: those of the user's own programs, and those of applications."""

    def __init__(self, db: Database, service: SessionService) -> None:
        self._db = db
        self._sessions = service

    async def personal(self, user_id: int) -> list[PersonalToken]:
        """Return the user's own tokens, the newest first."""
        return await token_lists.personal(self._db, user_id)

    async def create(
        self, user_id: int, *, name: str, scopes: Sequence[str], expires_at: datetime | None, client: Client
    ) -> NewPersonalToken:
        """Create a token of the user's own; raise `ConflictError` too_many_tokens and `NotFoundError("user")`."""
        text = new_token(TokenKind.PERSONAL, ids.shard_of(user_id))
        token = NewToken(sha256=digest(text), scopes=scopes, name=name, expires_at=expires_at)
        async with self._db.transaction() as tx:
            # Two requests at the same moment follow each other, so that both are counted.
            await account_locks.lock_against_inserts(tx, user_id)
            if len(await token_lists.personal(tx, user_id)) >= token_lists.MOST:
                raise ConflictError(
                    "too_many_tokens", sentence("You can have {most} tokens. Delete one first.", most=token_lists.MOST)
                )
            session = await api_tokens.open_session(tx, user_id, token)
            security_notices.record(tx, user_id, SecurityEvent.TOKEN_CREATED, device=client.name)
            shown = next(each for each in await token_lists.personal(tx, user_id) if each.session == session)
        return NewPersonalToken(shown, text)

    async def delete(self, user_id: int, session: str) -> None:
        """End one of the user's own tokens at once; raise `NotFoundError("token")`."""
        async with self._db.transaction() as tx:
            ended = await token_lists.end_personal(tx, user_id, session)
        if not ended:
            raise NotFoundError("token")
        await self._sessions.revoke(user_id, ended)

    async def applications(self, user_id: int) -> list[ConnectedApplication]:
        """Return the applications that have tokens of the user, the one that was granted last first."""
        granted = await token_lists.granted(self._db, user_id)
        known = await oauth_clients.by_ids(self._db, [each.client_id for each in granted])
        return [
            ConnectedApplication(
                application=known[each.client_id],
                scopes=each.scopes,
                granted_at=each.granted_at,
                last_used_at=each.last_used_at,
            )
            for each in granted
            if each.client_id in known
        ]

    async def disconnect(self, user_id: int, client_id: int) -> None:
        """End all tokens that an application has of the user, at once; raise `NotFoundError("application")`."""
        async with self._db.transaction() as tx:
            ended = await token_lists.end_of_application(tx, user_id, client_id)
        if not ended:
            raise NotFoundError("application")
        await self._sessions.revoke(user_id, ended)
