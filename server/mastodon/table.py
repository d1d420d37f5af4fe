"""The route table of this interface, made from the services of the API."""

from __future__ import annotations

from server.actions.search import SearchActions
from server.api.home_feed import HomeFeed
from server.api.photo_serializer import PhotoSerializer
from server.api.services import Services
from server.api.staging import UploadStaging
from server.mastodon.account_routes import AccountRoutes
from server.mastodon.app_routes import AppRoutes
from server.mastodon.endpoint import Route
from server.mastodon.instance_routes import InstanceRoutes
from server.mastodon.list_routes import ListRoutes
from server.mastodon.marker_routes import MarkerRoutes
from server.mastodon.media_routes import MediaReader, MediaRoutes
from server.mastodon.notification_routes import NotificationRoutes
from server.mastodon.notifications import NotificationReader
from server.mastodon.other_routes import OtherRoutes
from server.mastodon.posting import PostingRoutes
from server.mastodon.profile_routes import ProfileRoutes
from server.mastodon.push_routes import PushRoutes
from server.mastodon.relation_routes import RelationRoutes
from server.mastodon.rendering import Renderer
from server.mastodon.search_routes import SearchRoutes
from server.mastodon.status_actions import StatusActionRoutes
from server.mastodon.status_routes import StatusReader, StatusRoutes
from server.mastodon.texts import Links
from server.mastodon.timeline_routes import TimelineRoutes
from server.media.uploads import UploadReceiver


def routes(services: Services) -> list[Route]:
    """Return every route; fixed paths come before those with parameters."""
    renderer = renderer_of(services)
    reader = StatusReader(services.reads, renderer)
    actions = services.actions
    push_key = actions.push.public_key or ""
    return [
        *AppRoutes(services.db, actions.applications, services.api_tokens, push_key).routes(),
        *_reading(services, renderer, reader),
        *_writing(services, renderer, reader),
        *_own(services, renderer),
    ]


def renderer_of(services: Services) -> Renderer:
    """Return what renders photos, comments and accounts for apps."""
    serializer = PhotoSerializer(services.counter_cache, services.variants, services.media_urls)
    return Renderer(services.reads, serializer, Links(services.settings.public_url))


def _reading(services: Services, renderer: Renderer, reader: StatusReader) -> list[Route]:
    reads, settings, actions = services.reads, services.settings, services.actions
    search = SearchActions(reads, services.search_metrics, timeout=settings.search_timeout)
    home = HomeFeed(services.home, services.database_home, services.media_urls, services.limiter)
    timelines = TimelineRoutes(
        reads,
        renderer,
        home,
        trending=services.trending,
        cards=services.public_cards,
        last_seen=actions.last_seen,
    )
    return [
        *InstanceRoutes(renderer.links, settings.upload, settings.video, actions.push.public_key or "").routes(),
        # Before the accounts, whose paths have a parameter in the same place.
        *_profile(services, renderer),
        *AccountRoutes(reads, renderer, search).routes(),
        *timelines.routes(),
        *StatusRoutes(reads, renderer, reader).routes(),
        *SearchRoutes(reads, renderer, reader, search=search, tags=actions.tags, trends=services.tag_trends).routes(),
    ]


def _profile(services: Services, renderer: Renderer) -> list[Route]:
    actions = services.actions
    return ProfileRoutes(
        services.db, actions.accounts, actions.profile_images, _receiver(services), renderer.links
    ).routes()


def _writing(services: Services, renderer: Renderer, reader: StatusReader) -> list[Route]:
    actions, receiver = services.actions, _receiver(services)
    media = MediaReader(actions.uploads)
    posting = PostingRoutes(
        services.db,
        services.blobs,
        actions,
        services.limiter,
        services.new_accounts,
        staging=UploadStaging(actions.uploads, services.blobs, receiver, services.upload_metrics),
        media=media,
        reader=reader,
        hold=services.settings.hold,
        patience=services.settings.image_patience,
    )
    uploads = MediaRoutes(
        services.db,
        services.blobs,
        actions.uploads,
        receiver,
        reader=media,
        urls=services.media_urls,
        links=renderer.links,
    )
    return [
        *posting.routes(),
        *uploads.routes(),
        *StatusActionRoutes(actions, reader).routes(),
        *RelationRoutes(services.reads, actions.relations, renderer.links).routes(),
    ]


def _own(services: Services, renderer: Renderer) -> list[Route]:
    reads, actions = services.reads, services.actions
    notifications = NotificationReader(reads, renderer)
    return [
        *NotificationRoutes(notifications, actions.notifications, renderer.links).routes(),
        *ListRoutes(services.db, reads, actions.lists, renderer.links).routes(),
        *MarkerRoutes(services.db, actions.notifications).routes(),
        *PushRoutes(services.db, actions.push).routes(),
        *OtherRoutes(reads, renderer, actions.reports, actions.suggestions, services.case_metrics).routes(),
    ]


def _receiver(services: Services) -> UploadReceiver:
    settings = services.settings
    return UploadReceiver(
        settings.upload_dir, settings.upload, settings.video, settings.body_pace, services.upload_metrics
    )
