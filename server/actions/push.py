"""Subscribe browsers to push messages, and end subscriptions."""

from __future__ import annotations

from storage.errors import ConflictError
from storage.postgres.database import Database
from storage.push import PushSubscription
from storage.stores import push_subscriptions
from workers.outbound.errors import UrlRefusedError
from workers.outbound.urls import check_url
from workers.web_push.settings import PushSettings

QUOTA = "writes"


class PushActions:
    """The viewer's push subscriptions; with `settings` None, this installation sends no push messages."""

    def __init__(self, db: Database, settings: PushSettings | None) -> None:
        self._db = db
        self._settings = settings

    @property
    def public_key(self) -> str | None:
        """Return the key with which browsers subscribe, in base64url; None if no messages are sent."""
        return None if self._settings is None else self._settings.key.public

    async def subscribe(
        self, viewer_id: int, session: str, *, endpoint: str, p256dh: bytes, auth: bytes, hide_content: bool | None
    ) -> PushSubscription:
        """Store the subscription of the viewer's session; another endpoint replaces the one that it had.

        The keys are valid (`workers.web_push.keys`); `hide_content` None keeps what it had. Raises `UrlRefusedError`
        for an endpoint to which no message would be sent, `ConflictError` push_off, and `NotFoundError("user")` once
        the session has ended.
        """
        if self._settings is None:
            raise ConflictError("push_off", "This installation sends no push messages.")
        # Its name is looked up when a message is sent: the names that the list has are those of push services.
        url = check_url(endpoint, self._settings.policy)
        # As it is in the URL: not every name of the form xn--… is one that can be decoded.
        if self._settings.hosts.match(url.raw_host or "") is None:
            raise UrlRefusedError(
                f"{url.raw_host} is not one of the push services to which this installation sends messages."
            )
        async with self._db.transaction() as tx:
            return await push_subscriptions.subscribe(
                tx,
                user_id=viewer_id,
                session_id=session,
                endpoint=endpoint,
                p256dh=p256dh,
                auth=auth,
                hide_content=hide_content,
            )

    async def unsubscribe(self, viewer_id: int, subscription_id: int) -> None:
        """Delete a subscription of the viewer; raise `NotFoundError("subscription")`."""
        async with self._db.transaction() as tx:
            await push_subscriptions.delete(tx, subscription_id, user_id=viewer_id)
