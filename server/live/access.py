"""Adapters of the live layer's ports for authentication, channel authorization and presence."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import orjson

from channels.contract.channels import PROJECTED
from channels.contract.errors import (
    NotOfferedError,
    PermissionDeniedError,
    TokenExpiredError,
    TokenInvalidError,
    UnknownChannelError,
)
from channels.contract.ports import Grant, Identity, Member, Presence
from server.actions.presence import PresenceReader
from server.identity.api_tokens import ApiTokens
from server.identity.opaque_tokens import is_opaque
from server.identity.scopes import LIVE
from server.identity.tokens import AccessTokens, TokenError
from server.live.store_errors import store_errors
from storage import ids
from storage.errors import NotFoundError
from storage.limits.tickets import Tickets
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.photos import photos
from storage.stores.social import blocks, relations
from storage.stores.webhooks import webhook_endpoints
from workers.jobs.live import publications
from workers.jobs.live.publications import FEED, NOTIFICATIONS, PRESENCE, WEBHOOK

APPS_PUBLIC = f"{PROJECTED}{publications.PUBLIC_TOPIC}"  # the channel of the public photos, for apps


class LiveAuthenticator:
    """Authentication by access token, by a token of `api_tokens`, or by a one-use ticket of `POST /live/token`."""

    def __init__(
        self,
        tokens: AccessTokens,
        tickets: Tickets,
        api_tokens: ApiTokens | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._tickets = tickets
        self._api_tokens = api_tokens
        self._clock = clock

    async def authenticate(self, token: str) -> Identity:
        """Return the identity; raise `TokenExpiredError`, `TokenInvalidError` or `LiveUnavailableError`."""
        if self._api_tokens is not None and is_opaque(token):
            return await self._of_api_token(self._api_tokens, token)
        # A JWT has three parts; a ticket contains no dot.
        return self._of_token(token) if token.count(".") == 2 else self._of_payload(await self._redeem(token))

    async def authenticate_stream(self, ticket: str, key: str | None) -> tuple[Identity, str]:
        """Return the identity and the key for reconnects; see the port."""
        with store_errors():
            payload = await self._tickets.reconnect(ticket, key) if key is not None and _may_be(ticket) else None
        if key is not None and payload is not None:
            return self._of_payload(payload), key
        # The first request, or one with a new ticket and the last event id of an earlier stream.
        payload = await self._redeem(ticket)
        identity, fresh = self._of_payload(payload), secrets.token_hex(16)
        with store_errors():
            ttl = max(1, math.ceil(identity.expires_at - self._clock()))
            await self._tickets.keep_for_reconnects(ticket, fresh, payload, ttl=ttl)
        return identity, fresh

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
        if claims.restricted:
            raise TokenInvalidError("This account is suspended.")
        return Identity(user_id=claims.user_id, session=claims.session, expires_at=float(claims.expires_at))

    async def _of_api_token(self, api_tokens: ApiTokens, token: str) -> Identity:
        try:
            with store_errors():
                claims = await api_tokens.verify(token, address=None)
        except TokenError as error:
            raise TokenInvalidError(str(error)) from error
        if claims is None or claims.scopes is None or LIVE not in claims.scopes:
            raise TokenInvalidError(f"Live connections need an access token of a user with the scope {LIVE}.")
        return Identity(
            user_id=claims.user_id,
            session=claims.session,
            expires_at=float(claims.expires_at),
            scopes=claims.scopes,
        )

    async def _redeem(self, ticket: str) -> dict[str, Any]:
        with store_errors():
            payload = await self._tickets.redeem(ticket) if _may_be(ticket) else None
        if payload is None:
            raise TokenInvalidError("The ticket is not valid, or was used already.")
        return payload

    def _of_payload(self, payload: dict[str, Any]) -> Identity:
        if payload["expires_at"] <= self._clock():
            raise TokenExpiredError("The access token for which the ticket was issued has expired.")
        scopes = payload.get("scopes")
        return Identity(
            user_id=payload["user"],
            session=payload["session"],
            expires_at=float(payload["expires_at"]),
            scopes=None if scopes is None else frozenset(scopes),
        )


def _may_be(ticket: str) -> bool:
    # The length is checked first, so that no client makes this process hash arbitrary data.
    return 0 < len(ticket) <= 200


class LiveAuthorizer:
    """Grant `photo:<id>`, `user:<id>` and `presence:<id>` to users that may see the photo, profile or presence.

    `webhook:<id>` is granted to the owner of the webhook.
    """

    def __init__(self, db: Queryable, presence: PresenceReader, reads: Reads) -> None:
        self._db = db
        self._reads = reads
        self._presence = presence
        self._grants = {
            "photo": self._grant_photo,
            "user": self._grant_user,
            PRESENCE: self._grant_presence,
            WEBHOOK: self._grant_webhook,
        }

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant; raise `UnknownChannelError`, `PermissionDeniedError` or `LiveUnavailableError`."""
        if channel == APPS_PUBLIC:
            return Grant(topic=publications.PUBLIC_TOPIC, owner_id=0)
        kind, _, text = channel.partition(":")
        if kind in {FEED, NOTIFICATIONS}:
            # The server subscribes each connection to its own user's streams; no client subscribes to another's.
            raise PermissionDeniedError("This stream belongs to another user.")
        grant = self._grants.get(kind)
        if grant is None:
            raise UnknownChannelError(f"There is no channel {channel[:50]!r}.")
        try:
            wanted = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with store_errors():
            granted = await grant(identity.user_id, wanted)
        # What was published before is not sent any more. A client fetches it now, and a replica may not have it yet.
        await self._reads.keep_position(identity.user_id)
        return granted

    async def blocks(self, identity: Identity) -> Collection[int]:
        """Return the users on the other side of a block, in either direction; raise `LiveUnavailableError`."""
        with store_errors():
            return await blocks.separated_ids(self._db, identity.user_id)

    async def _grant_user(self, viewer_id: int, user_id: int) -> Grant:
        if not await relations.may_see(self._db, viewer_id, user_id):
            raise PermissionDeniedError("There is no such user, or you may not see the profile.")
        return Grant(topic=publications.user_topic(user_id), owner_id=user_id)

    async def _grant_photo(self, viewer_id: int, photo_id: int) -> Grant:
        try:
            photo = await photos.get(self._db, photo_id, viewer_id=viewer_id)
        except NotFoundError as error:
            raise PermissionDeniedError("There is no such photo, or you may not see it.") from error
        return Grant(topic=publications.photo_topic(photo_id), owner_id=photo.author.id)

    async def _grant_webhook(self, viewer_id: int, endpoint_id: int) -> Grant:
        try:
            await webhook_endpoints.get(self._db, endpoint_id, owner_id=viewer_id)
        except NotFoundError as error:
            raise PermissionDeniedError("There is no such webhook, or it belongs to another user.") from error
        return Grant(topic=publications.webhook_topic(endpoint_id), owner_id=viewer_id)

    async def _grant_presence(self, viewer_id: int, user_id: int) -> Grant:
        presence = await self._presence.read(user_id, viewer_id=viewer_id)
        if presence is None:
            raise PermissionDeniedError("You may not see whether this user is online.")
        data = orjson.dumps(publications.presence_fields(presence))
        return Grant(topic=publications.presence_topic(user_id), owner_id=user_id, data=data)


class LivePresences:
    """Presence on the channels `presence:<id>`; the only member of each is the user of that id."""

    def __init__(self, presence: PresenceReader) -> None:
        self._presence = presence

    async def members(self, identity: Identity, channel: str) -> Sequence[Member]:
        """Return the user if online; see the port for the errors."""
        kind, _, text = channel.partition(":")
        if kind != publications.PRESENCE:
            raise NotOfferedError(f"The channel {channel[:50]} has no presence.")
        try:
            user_id = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with store_errors():
            presence = await self._presence.read(user_id, viewer_id=identity.user_id)
        if presence is None:
            raise PermissionDeniedError("You may not see whether this user is online.")
        # The channel has the user as its only member, so an offline user leaves it empty.
        return [Member(user=ids.encode(user_id))] if presence.online else []

    def encode_change(self, user_id: int, presence: Presence) -> bytes:
        """Return the publication of a change."""
        return publications.presence_changed(user_id, presence)
