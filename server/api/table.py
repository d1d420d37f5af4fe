"""The route table of the whole API, made from its services."""

from __future__ import annotations

from server.api.accounts import AccountsApi
from server.api.feed import FeedApi
from server.api.live import LiveApi
from server.api.notifications import NotificationsApi
from server.api.photo_serializer import PhotoSerializer
from server.api.photos import PhotosApi, UploadApi
from server.api.profiles import ProfilesApi
from server.api.reactions import CommentsApi, LikesApi
from server.api.relations import RelationsApi
from server.api.services import Services
from server.api.tokens import TokenResponses, TokensApi
from server.edge.authentication import RequestAuthenticator, SessionCookies
from server.edge.endpoint import Endpoint
from server.edge.idempotency import Idempotency
from server.edge.paging import Cursors
from server.identity.rate_limits import READ_QUOTA
from server.media.uploads import UploadReceiver


def endpoints(services: Services) -> list[Endpoint]:
    """Return every endpoint; the router needs fixed paths before those with parameters."""
    return [*_user_endpoints(services), *_photo_endpoints(services), *_viewer_endpoints(services)]


def _user_endpoints(services: Services) -> list[Endpoint]:
    settings, reads, actions = services.settings, services.reads, services.actions
    cursors, serializer = Cursors(settings.secret), PhotoSerializer(services.counter_cache, services.media_urls)
    cookies = SessionCookies(secure=settings.secure, access_ttl=settings.access_ttl, refresh_ttl=settings.refresh_ttl)
    responses = TokenResponses(cookies, access_ttl=settings.access_ttl)
    tokens = TokensApi(actions.accounts, actions.sessions, RequestAuthenticator(services.tokens), responses)
    return [
        *AccountsApi(reads, actions.accounts, responses).endpoints(),
        *tokens.endpoints(),
        *RelationsApi(reads, cursors, actions.relations).endpoints(),
        *ProfilesApi(reads, cursors, serializer, actions.presence).endpoints(),
    ]


def _photo_endpoints(services: Services) -> list[Endpoint]:
    settings, db, reads, actions = services.settings, services.db, services.reads, services.actions
    cursors, serializer = Cursors(settings.secret), PhotoSerializer(services.counter_cache, services.media_urls)
    idempotency, uploads = Idempotency(db), UploadReceiver(settings.upload_dir, settings.upload, settings.body_pace)
    return [
        *UploadApi(db, services.blobs, uploads, idempotency, serializer).endpoints(),
        *PhotosApi(reads, cursors, serializer, actions.photos).endpoints(),
        *LikesApi(reads, cursors, actions.reactions).endpoints(),
        *CommentsApi(reads, cursors, actions.reactions, idempotency).endpoints(),
    ]


def _viewer_endpoints(services: Services) -> list[Endpoint]:
    settings, actions = services.settings, services.actions
    cursors, reads = Cursors(settings.secret), services.limiter.policy(READ_QUOTA)
    return [
        *FeedApi(services.home, cursors, services.media_urls, reads, actions.last_seen).endpoints(),
        *NotificationsApi(
            services.db, services.reads, services.notification_log, cursors, actions.notifications
        ).endpoints(),
        *LiveApi(services.tickets, public_url=settings.public_url, ttl=settings.ticket_ttl).endpoints(),
    ]
