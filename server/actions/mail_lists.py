"""Unsubscribe from mails by the link in one, without signing in (RFC 8058)."""

from __future__ import annotations

from server.actions.notification_preferences import NotificationPreferenceActions
from server.identity.errors import LinkInvalidError
from storage.postgres.database import Database
from storage.stores.notifications import mail_opt_outs
from workers.mails.tokens import MailTokenError, MailTokens


class MailLists:
    """The lists of mails that users can leave."""

    def __init__(self, db: Database, tokens: MailTokens, preferences: NotificationPreferenceActions) -> None:
        self._db = db
        self._tokens = tokens
        self._preferences = preferences

    def check(self, token: str) -> str:
        """Return the list that a token leaves; raise `LinkInvalidError`."""
        try:
            return self._tokens.unsubscription(token).list_name
        except MailTokenError as error:
            raise LinkInvalidError from error

    async def leave(self, token: str) -> str:
        """Unsubscribe the user of a token from its list and return that; raise `LinkInvalidError`."""
        list_name = self.check(token)
        async with self._db.transaction() as tx:
            await mail_opt_outs.add(tx, self._tokens.unsubscription(token).user_id, list_name)
        # What the user reads in the settings; repeated by the link if the process dies in between.
        await self._preferences.stop_mail(self._tokens.unsubscription(token).user_id, list_name)
        return list_name
