"""The settings of the caches of images in front of PicShare."""

from __future__ import annotations

from server.config.section import parse_rate
from server.config.settings import Settings
from storage.render.images import Sign
from workers.caches.nginx import purge_key
from workers.caches.opening import CacheSettings


def cache_settings(settings: Settings, secret: bytes, sign: Sign) -> CacheSettings:
    """Return the settings of the caches; `secret` is that of the service, `sign` makes URLs of private images."""
    section = settings.edge
    hook_secret = section.hook_secret.get_secret_value() if section.hook_secret else ""
    return CacheSettings(
        urls=section.caches,
        public_url=settings.public_url,
        purge_key=purge_key(secret),
        # Only with this form of signatures nginx keeps private images.
        sign=sign if settings.media.signature == "nginx" else None,
        warm_followers=section.warm_followers,
        warm_rate=parse_rate(section.warm_rate),
        hook=(section.hook_url, hook_secret) if section.hook_url else None,
    )
