"""The route table of the whole API, made from its services."""

from __future__ import annotations

from server.actions.search import SearchActions
from server.api.account_security import AccountSecurityApi
from server.api.account_sessions import AccountSessionsApi
from server.api.accounts import AccountsApi
from server.api.applications import ApplicationsApi
from server.api.case_files import CaseFiles
from server.api.cases import CasesApi
from server.api.collection_lists import CollectionListsApi
from server.api.comment_lists import CommentListsApi
from server.api.comments import CommentsApi
from server.api.email_addresses import EmailAddressesApi
from server.api.exports import ExportsApi
from server.api.feed import FeedApi
from server.api.home_feed import HomeFeed
from server.api.imports import ImportsApi
from server.api.lists import ListsApi
from server.api.live import LiveApi
from server.api.mail_lists import MailListsApi
from server.api.moderation import ModerationApi
from server.api.notification_preferences import NotificationPreferencesApi
from server.api.notifications import NotificationsApi
from server.api.oidc import OidcApi
from server.api.passkeys import PasskeysApi
from server.api.password_resets import PasswordResetsApi
from server.api.photo_collections import CollectionsApi
from server.api.photo_exif import PhotoExifApi
from server.api.photo_feeds import PhotoFeeds
from server.api.photo_serializer import PhotoSerializer
from server.api.photos import PhotosApi
from server.api.posting import UploadApi
from server.api.profile_images import ProfileImagesApi
from server.api.profiles import ProfilesApi
from server.api.push import PushApi
from server.api.reactions import LikesApi
from server.api.relations import RelationsApi
from server.api.reports import ReportsApi
from server.api.search import SearchApi
from server.api.services import Services
from server.api.staging import UploadStaging
from server.api.suggestions import SuggestionsApi
from server.api.tags import TagsApi
from server.api.token_access import TokenAccessApi
from server.api.tokens import TokenResponses, TokensApi
from server.api.trends import TrendsApi
from server.api.tus import TusApi
from server.api.upload_posts import UploadPosts
from server.api.uploads import SignedContentApi, SignedUploadsApi
from server.api.webhooks import WebhooksApi
from server.edge.authentication import RequestAuthenticator, SessionCookies
from server.edge.endpoint import Endpoint
from server.edge.idempotency import Idempotency
from server.edge.paging import Cursors
from server.identity.device_tokens import DeviceTokens
from server.media.body_spool import BodySpool
from server.media.export_urls import ExportUrls
from server.media.uploads import UploadReceiver


def endpoints(services: Services) -> list[Endpoint]:
    """Return every endpoint; the router needs fixed paths before those with parameters."""
    # Before the profiles: /users/me/reports is no account of the name "me".
    return [
        *_moderation_endpoints(services),
        *_user_endpoints(services),
        *_photo_endpoints(services),
        *_viewer_endpoints(services),
    ]


def _moderation_endpoints(services: Services) -> list[Endpoint]:
    db, actions, cursors = services.db, services.actions, Cursors(services.settings.secret)
    metrics = services.case_metrics
    files = CaseFiles(db, services.variants, services.media_urls)
    serializer = PhotoSerializer(services.counter_cache, services.variants, services.media_urls)
    return [
        *ReportsApi(services.reads, cursors, actions.reports, actions.appeals, metrics).endpoints(),
        *CasesApi(db, cursors, actions.cases, actions.appeals, files=files, metrics=metrics).endpoints(),
        # After the cases: their path is no photo.
        *ModerationApi(actions.moderation, services.limiter, serializer).endpoints(),
    ]


def _user_endpoints(services: Services) -> list[Endpoint]:
    settings, reads, actions = services.settings, services.reads, services.actions
    cursors, serializer = (
        Cursors(settings.secret),
        PhotoSerializer(services.counter_cache, services.variants, services.media_urls),
    )
    cookies = SessionCookies(secure=settings.secure, access_ttl=settings.access_ttl, refresh_ttl=settings.refresh_ttl)
    responses = TokenResponses(cookies, DeviceTokens(settings.secret), access_ttl=settings.access_ttl)
    tokens = TokensApi(
        actions.sign_in, actions.sessions, RequestAuthenticator(services.tokens, services.api_tokens), responses, reads
    )
    return [
        *AccountsApi(reads, actions.accounts, actions.sign_in, responses).endpoints(),
        *EmailAddressesApi(actions.emails).endpoints(),
        *PasswordResetsApi(actions.password_resets).endpoints(),
        *MailListsApi(actions.mail_lists).endpoints(),
        *tokens.endpoints(),
        *OidcApi(actions.provider_accounts, reads, responses, secure=settings.secure).endpoints(),
        *AccountSessionsApi(actions.sessions).endpoints(),
        *AccountSecurityApi(actions.reauthentication, actions.password_change, actions.second_factor).endpoints(),
        *PasskeysApi(actions.passkeys, services.limiter).endpoints(),
        *ApplicationsApi(actions.applications, actions.authorizations).endpoints(),
        *TokenAccessApi(actions.token_access).endpoints(),
        *RelationsApi(reads, cursors, actions.relations).endpoints(),
        *ProfilesApi(reads, cursors, serializer, actions.presence).endpoints(),
        *SearchApi(
            SearchActions(reads, services.search_metrics, timeout=settings.search_timeout), cursors, serializer
        ).endpoints(),
    ]


def _photo_endpoints(services: Services) -> list[Endpoint]:
    settings, db, reads, actions = services.settings, services.db, services.reads, services.actions
    cursors, serializer = (
        Cursors(settings.secret),
        PhotoSerializer(services.counter_cache, services.variants, services.media_urls),
    )
    idempotency, receiver = Idempotency(db), _receiver(services)
    return [
        *UploadApi(receiver, upload_posts(services)).endpoints(),
        *_upload_endpoints(services),
        *ProfileImagesApi(actions.profile_images, receiver).endpoints(),
        *TrendsApi(services.trending, services.public_cards, services.tag_trends, cursors).endpoints(),
        *CollectionListsApi(reads, cursors, serializer).endpoints(),
        *CollectionsApi(actions.collections, idempotency).endpoints(),
        *PhotosApi(reads, cursors, serializer, actions.photos).endpoints(),
        *PhotoExifApi(reads, actions.photos).endpoints(),
        *LikesApi(reads, cursors, actions.reactions).endpoints(),
        *CommentListsApi(reads, cursors).endpoints(),
        *CommentsApi(actions.comments, idempotency).endpoints(),
    ]


def upload_posts(services: Services) -> UploadPosts:
    """Return what creates photos of uploads."""
    receiver = _receiver(services)
    return UploadPosts(
        db=services.db,
        blobs=services.blobs,
        limiter=services.limiter,
        staging=UploadStaging(services.actions.uploads, services.blobs, receiver, services.upload_metrics),
        idempotency=Idempotency(services.db),
        serializer=PhotoSerializer(services.counter_cache, services.variants, services.media_urls),
        hold=services.settings.hold,
    )


def _receiver(services: Services) -> UploadReceiver:
    settings = services.settings
    return UploadReceiver(
        settings.upload_dir, settings.upload, settings.video, settings.body_pace, services.upload_metrics
    )


def _upload_endpoints(services: Services) -> list[Endpoint]:
    settings, actions = services.settings, services.actions.uploads
    spool, presigner = BodySpool(settings.upload_dir, settings.body_pace), services.local_presigner
    return [
        *SignedUploadsApi(actions, settings.upload, settings.video).endpoints(),
        *([] if presigner is None else SignedContentApi(actions, presigner, spool).endpoints()),
        *TusApi(
            actions,
            spool,
            settings.upload,
            settings.video,
            services.upload_metrics,
            archive_bytes=settings.import_bytes,
        ).endpoints(),
    ]


def _viewer_endpoints(services: Services) -> list[Endpoint]:
    settings, reads, actions = services.settings, services.reads, services.actions
    cursors = Cursors(settings.secret)
    serializer = PhotoSerializer(services.counter_cache, services.variants, services.media_urls)
    feed = FeedApi(
        HomeFeed(services.home, services.database_home, services.media_urls, services.limiter),
        PhotoFeeds(reads, services.highlights, cursors),
        serializer,
        cursors=cursors,
        limiter=services.limiter,
        last_seen=actions.last_seen,
    )
    return [
        *feed.endpoints(),
        *ListsApi(reads, cursors, actions.lists, Idempotency(services.db)).endpoints(),
        *TagsApi(reads, actions.tags).endpoints(),
        *NotificationsApi(services.db, reads, services.notification_log, cursors, actions.notifications).endpoints(),
        *NotificationPreferencesApi(reads, cursors, actions.notification_preferences).endpoints(),
        *PushApi(actions.push).endpoints(),
        *SuggestionsApi(reads, cursors, actions.suggestions).endpoints(),
        *WebhooksApi(reads, cursors, actions.webhooks, Idempotency(services.db)).endpoints(),
        *ExportsApi(services.db, reads, services.blobs, actions.exports, ExportUrls(settings.secret)).endpoints(),
        *ImportsApi(reads, cursors, actions.imports).endpoints(),
        *LiveApi(services.tickets, public_url=settings.public_url, ttl=settings.ticket_ttl).endpoints(),
    ]
