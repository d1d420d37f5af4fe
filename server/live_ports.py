"""The live layer's questions, answered from the stores: who a token is, what was missed, who may hear what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from channels.errors import (
    LiveUnavailableError,
    PermissionDeniedError,
    TokenExpiredError,
    TokenInvalidError,
    UnknownChannelError,
)
from channels.ports import Grant, Identity, Position, Publication, Recovery
from server.identity.tokens import AccessTokens, TokenError
from storage import ids, notifications, photos, social
from storage.cards import Cards, Sign, complete
from storage.database import Queryable
from storage.engagement import Engagement
from storage.errors import NotFoundError, UnavailableError
from storage.feeds import Feeds
from storage.notification_log import NotificationLog
from storage.tickets import Tickets
from workers import live_topics
from workers.live_topics import FEED, NOTIFICATIONS


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except UnavailableError as error:
        raise LiveUnavailableError(str(error)) from error


class LiveAuthenticator:
    """Take access tokens, and the one-use tickets of `POST /live/token`."""

    def __init__(self, tokens: AccessTokens, tickets: Tickets, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._tickets = tickets
        self._clock = clock

    async def authenticate(self, token: str) -> Identity:
        """Return the identity; raise `TokenExpiredError`, `TokenInvalidError` or `LiveUnavailableError`."""
        identity = self._of_token(token) if token.count(".") == 2 else await self._of_ticket(token)
        await self.confirm(identity)
        return identity

    async def confirm(self, identity: Identity) -> None:
        """Raise `TokenInvalidError` if the session was revoked, or `LiveUnavailableError`."""
        with _store_errors():
            revoked = await self._tickets.is_revoked(identity.session, identity.user_id)
        if revoked:
            raise TokenInvalidError("the session has ended")

    def _of_token(self, token: str) -> Identity:
        try:
            claims = self._tokens.verify(token)
        except TokenError as error:
            raise (TokenExpiredError if error.expired else TokenInvalidError)(str(error)) from error
        return Identity(user_id=claims.user_id, session=claims.session, expires_at=float(claims.expires_at))

    async def _of_ticket(self, token: str) -> Identity:
        with _store_errors():
            payload = await self._tickets.redeem(token) if 0 < len(token) <= 200 else None
        if payload is None:
            raise TokenInvalidError("the ticket is not valid, or was used")
        if payload["expires_at"] <= self._clock():
            raise TokenExpiredError("the access token behind the ticket has expired")
        return Identity(user_id=payload["user"], session=payload["session"], expires_at=float(payload["expires_at"]))


@dataclass(frozen=True, kw_only=True)
class LiveStreams:
    """Read the streams "feed" and "notifications" from their logs; publications as they were announced."""

    db: Queryable
    feeds: Feeds
    cards: Cards
    engagement: Engagement
    notification_log: NotificationLog
    sign: Sign

    async def position(self, user_id: int, stream: str) -> Position:
        """Return the end of a stream; raise `LiveUnavailableError`."""
        with _store_errors():
            log = self.feeds if stream == FEED else self.notification_log
            epoch, offset = await log.position(user_id)
        return Position(epoch=epoch, offset=offset)

    async def recover(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return what came after `since`; raise `LiveUnavailableError`."""
        with _store_errors():
            if stream == FEED:
                return await self._recover_feed(user_id, since)
            return await self._recover_notifications(user_id, since)

    async def _recover_feed(self, user_id: int, since: Position) -> Recovery:
        delta = await self.feeds.since(user_id, since.epoch, since.offset)
        if delta is None:
            return await self._lost(user_id, FEED)
        wanted = [photo_id for _, photo_id, removed in delta.items if not removed]
        cards = await self.cards.get(wanted)
        engaged = await self.engagement.read(list(cards), user_id)
        publications = []
        for offset, photo_id, removed in delta.items:
            if removed:
                data = live_topics.photo_removed(photo_id)
            elif photo_id in cards:
                likes, comments, liked = engaged[photo_id]
                photo = complete(cards[photo_id], likes=likes, comments=comments, liked=liked, sign=self.sign)
                data = live_topics.photo_new(photo)
            else:
                continue  # deleted meanwhile
            publications.append(Publication(data=data, offset=offset))
        position = Position(epoch=delta.epoch, offset=delta.offset)
        return Recovery(recovered=True, publications=publications, position=position)

    async def _recover_notifications(self, user_id: int, since: Position) -> Recovery:
        epoch, top = await self.notification_log.position(user_id)
        missed = await self.notification_log.since(user_id, since.epoch, since.offset)
        if missed is None:
            return await self._lost(user_id, NOTIFICATIONS)
        publications = await self._notices(user_id, missed)
        # Something may have come between the two questions; the position counts all that is told here.
        offset = max([top, *(offset for offset, _ in missed)])
        return Recovery(recovered=True, publications=publications, position=Position(epoch=epoch, offset=offset))

    async def _notices(self, user_id: int, missed: Sequence[tuple[int, int]]) -> list[Publication]:
        if not missed:
            return []
        entries = await notifications.by_ids(self.db, user_id, [entry_id for _, entry_id in missed])
        counters = await notifications.counters(self.db, user_id)
        found = []
        for offset, entry_id in missed:
            entry = entries.get(entry_id)
            if entry is None:
                data = live_topics.notification_removed(entry_id, counters)
            else:
                data = live_topics.notification_new(entry, counters)
            found.append(Publication(data=data, offset=offset))
        return found

    async def _lost(self, user_id: int, stream: str) -> Recovery:
        return Recovery(recovered=False, publications=[], position=await self.position(user_id, stream))


class LiveAuthorizer:
    """Let people hear `photo:<id>` and `user:<id>` where they may see the photo and the profile."""

    def __init__(self, db: Queryable) -> None:
        self._db = db

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant; raise `UnknownChannelError`, `PermissionDeniedError` or `LiveUnavailableError`."""
        kind, _, text = channel.partition(":")
        if kind in {FEED, NOTIFICATIONS}:
            # People's own streams come with the connection; nobody subscribes to another's.
            raise PermissionDeniedError("this stream belongs to another person")
        if kind not in {"photo", "user"}:
            raise UnknownChannelError(f"there is no channel {channel[:50]!r}")
        try:
            wanted = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with _store_errors():
            return await (self._user if kind == "user" else self._photo)(identity.user_id, wanted)

    async def _user(self, viewer_id: int, user_id: int) -> Grant:
        if not await social.may_see(self._db, viewer_id, user_id):
            raise PermissionDeniedError("this profile is not yours to hear")
        return Grant(topic=live_topics.user_topic(user_id), owner_id=user_id)

    async def _photo(self, viewer_id: int, photo_id: int) -> Grant:
        try:
            photo = await photos.get(self._db, photo_id, viewer_id=viewer_id)
        except NotFoundError as error:
            raise PermissionDeniedError("this photo is not yours to hear") from error
        return Grant(topic=live_topics.photo_topic(photo_id), owner_id=photo.author.id)
