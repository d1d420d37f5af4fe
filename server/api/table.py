"""The whole route table of the API, from the services it runs on."""

from __future__ import annotations

from server.actions.counting import Counting
from server.actions.presence import PresenceReader
from server.api.accounts import AccountApi, SignUpApi
from server.api.feed import FeedApi
from server.api.live import LiveApi
from server.api.notifications import NotificationsApi
from server.api.photo_serializer import PhotoSerializer
from server.api.photos import PhotosApi, UploadApi
from server.api.profiles import ProfilesApi
from server.api.reactions import CommentsApi, LikesApi
from server.api.relations import RelationsApi
from server.api.services import Services
from server.api.tokens import PasswordAuthenticator, TokensApi
from server.edge.authentication import RequestAuthenticator, SessionCookies
from server.edge.cursors import Cursors
from server.edge.endpoint import Endpoint
from server.edge.idempotency import Idempotency
from server.edge.last_seen import LastSeen
from server.identity.sessions import SessionService
from server.identity.tokens import AccessTokens
from server.media.uploads import Uploads


def endpoints(services: Services, tokens: AccessTokens) -> list[Endpoint]:
    """Return every endpoint; fixed addresses stand before those with parameters."""
    return [*_people(services, tokens), *_photos(services), *_own(services)]


def _people(services: Services, tokens: AccessTokens) -> list[Endpoint]:
    settings, db, limits = services.settings, services.db, services.settings.limits
    cursors, view = Cursors(settings.secret), PhotoSerializer(services.engagement, services.media_urls)
    desk = SessionService(db, tokens, services.tickets, services.publisher, refresh_ttl=settings.refresh_ttl)
    cookies = SessionCookies(secure=settings.secure, access_ttl=settings.access_ttl, refresh_ttl=settings.refresh_ttl)
    door = PasswordAuthenticator(db, services.passwords, services.quotas, limits)
    tokens_api = TokensApi(db, door, desk, RequestAuthenticator(tokens), cookies)
    sign_up = SignUpApi(db, services.passwords, services.quotas, limits, desk=desk, tokens=tokens_api)
    return [
        *sign_up.endpoints(),
        *tokens_api.endpoints(),
        *AccountApi(db, desk).endpoints(),
        *RelationsApi(db, services.feeds, cursors).endpoints(),
        *ProfilesApi(db, cursors, view, PresenceReader(db, services.presence)).endpoints(),
    ]


def _photos(services: Services) -> list[Endpoint]:
    settings, db = services.settings, services.db
    cursors, view = Cursors(settings.secret), PhotoSerializer(services.engagement, services.media_urls)
    idempotency, counting = Idempotency(db), Counting(services.engagement)
    return [
        *UploadApi(db, services.blobs, Uploads(settings.upload_dir, settings.upload), idempotency, view).endpoints(),
        *PhotosApi(db, services.cards, cursors, view).endpoints(),
        *LikesApi(db, counting, cursors).endpoints(),
        *CommentsApi(db, counting, cursors, idempotency).endpoints(),
    ]


def _own(services: Services) -> list[Endpoint]:
    settings, db = services.settings, services.db
    cursors = Cursors(settings.secret)
    return [
        *FeedApi(services.home, cursors, services.media_urls, settings.limits, LastSeen(db)).endpoints(),
        *NotificationsApi(db, services.notification_log, cursors).endpoints(),
        *LiveApi(services.tickets, public_url=settings.public_url, ttl=settings.ticket_ttl).endpoints(),
    ]
