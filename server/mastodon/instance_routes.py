"""What an app asks an installation about itself: its name and rules, what it accepts, and what it does not have."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from aiohttp import web

from server.mastodon.accounts import Entity
from server.mastodon.endpoint import Route, route
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.texts import Links
from server.media.image_checks import UploadLimits
from server.media.video_checks import VideoUploadLimits
from storage.media_types import VIDEO_TYPES
from storage.stores.photos.photo_items import MAX_ITEMS
from storage.texts import MAX_ALT_TEXT, MAX_CAPTION

# The version whose interface apps may expect; from 4.3 on they would ask for grouped notifications.
MASTODON = "4.2.0"
API_VERSION = 1
_TITLE, _DESCRIPTION = "PicShare", "A real-time photo-sharing service."
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/avif", "image/gif", "image/heic")
_ICON = "/static/icons/picshare-512.png"


def picshare_version() -> str:
    """Return the version of PicShare."""
    try:
        return version("picshare")
    except PackageNotFoundError:
        return "0"


class InstanceRoutes:
    """`/api/v1/instance` and `/api/v2/instance`; `push_key` is the public key of push messages, "" if none are sent."""

    def __init__(self, links: Links, images: UploadLimits, videos: VideoUploadLimits, push_key: str) -> None:
        self._links = links
        self._images = images
        self._videos = videos
        self._push_key = push_key

    def routes(self) -> list[Route]:
        """Return the routes."""
        first = "/api/v1/instance"
        return [
            route("GET", first, self.first),
            route("GET", "/api/v2/instance", self.second),
            *(route("GET", f"{first}/{name}", _empty_list) for name in ("peers", "activity", "rules")),
            route("GET", f"{first}/extended_description", _description),
            route("GET", f"{first}/privacy_policy", _description),
            route("GET", f"{first}/translation_languages", _empty_object),
            route("GET", "/api/v2/config", self.pixelfed),
        ]

    async def first(self, _request: MastodonRequest) -> web.Response:
        """Return the installation as the first version of this entity has it."""
        streaming = self._streaming()
        return respond(
            {
                "uri": self._links.host,
                "title": _TITLE,
                "short_description": _DESCRIPTION,
                "description": _DESCRIPTION,
                "email": "",
                "version": self._version(),
                "urls": {"streaming_api": streaming},
                "stats": {"user_count": 0, "status_count": 0, "domain_count": 1},
                "thumbnail": self._links.absolute(_ICON),
                "languages": ["en"],
                "registrations": False,
                "approval_required": False,
                "invites_enabled": False,
                "max_toot_chars": MAX_CAPTION,
                "configuration": self._configuration(),
                "contact_account": None,
                "rules": [],
            }
        )

    async def second(self, _request: MastodonRequest) -> web.Response:
        """Return the installation as the second version of this entity has it."""
        icon = self._links.absolute(_ICON)
        return respond(
            {
                "domain": self._links.host,
                "title": _TITLE,
                "version": self._version(),
                "source_url": self._links.absolute("/docs"),
                "description": _DESCRIPTION,
                "usage": {"users": {"active_month": 0}},
                "thumbnail": {"url": icon, "blurhash": None, "versions": {}},
                "icon": [{"src": icon, "size": "512x512"}],
                "languages": ["en"],
                "configuration": {
                    "urls": {"streaming": self._streaming(), "status": None, "about": self._links.base},
                    "vapid": {"public_key": self._push_key},
                    "translation": {"enabled": False},
                    "limited_federation": True,
                    **self._configuration(),
                },
                # An account is made on the page of this installation, not by an app.
                "registrations": {
                    "enabled": False,
                    "approval_required": False,
                    "reason_required": False,
                    "message": None,
                    "min_age": None,
                    "url": self._links.absolute("/signup"),
                },
                "api_versions": {"mastodon": API_VERSION},
                "contact": {"email": "", "account": None},
                "rules": [],
            }
        )

    async def pixelfed(self, _request: MastodonRequest) -> web.Response:
        """Return the configuration that Pixelfed's app asks for."""
        return respond(
            {
                "version": self._version(),
                "site": {"name": _TITLE, "domain": self._links.host, "url": self._links.base},
                "uploader": {
                    "max_photo_size": self._images.max_bytes // 1024,
                    "max_caption_length": MAX_CAPTION,
                    "max_altext_length": MAX_ALT_TEXT,
                    "album_limit": MAX_ITEMS,
                    "media_types": ",".join(self._types()),
                },
                "features": {"timelines": {"local": True, "network": False}, "stories": False, "video": True},
            }
        )

    def _configuration(self) -> Entity:
        videos: dict[str, Any] = {
            "video_size_limit": self._videos.max_bytes,
            "video_frame_rate_limit": 120,
            "video_matrix_limit": self._images.max_pixels,
        }
        return {
            "accounts": {"max_featured_tags": 0, "max_pinned_statuses": 0},
            "statuses": {
                "max_characters": MAX_CAPTION,
                "max_media_attachments": MAX_ITEMS,
                "characters_reserved_per_url": 23,
            },
            "media_attachments": {
                "supported_mime_types": self._types(),
                "description_limit": MAX_ALT_TEXT,
                "image_size_limit": self._images.max_bytes,
                "image_matrix_limit": self._images.max_pixels,
                **videos,
            },
            "polls": {
                "max_options": 0,
                "max_characters_per_option": 0,
                "min_expiration": 0,
                "max_expiration": 0,
            },
        }

    def _types(self) -> list[str]:
        return sorted({*_IMAGE_TYPES, *(VIDEO_TYPES if self._videos.accepted else ())})

    def _streaming(self) -> str:
        return "ws" + self._links.base.removeprefix("http")

    @staticmethod
    def _version() -> str:
        return f"{MASTODON} (compatible; PicShare {picshare_version()})"


async def _empty_list(_request: MastodonRequest) -> web.Response:
    return respond([])


async def _empty_object(_request: MastodonRequest) -> web.Response:
    return respond({})


async def _description(_request: MastodonRequest) -> web.Response:
    return respond({"updated_at": "2026-01-01T00:00:00.000Z", "content": f"<p>{_DESCRIPTION}</p>"})
