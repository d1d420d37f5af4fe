"""Connect storage's logs with live delivery: the Lua of `channels`, in the form that storage runs."""

from __future__ import annotations

from channels.bus.addressing import channel_prefix, registry_key, star_channel
from channels.bus.envelope import star_body
from channels.bus.redis_client import delivery_source
from storage.feeds.window_log import DeliveryScript
from storage.redis.client import Redis


def delivery_script(redis: Redis) -> DeliveryScript:
    """Return the script part with which logs in this Redis publish to live processes."""
    return DeliveryScript(
        source=delivery_source(sharded=redis.sharded),
        key=registry_key,
        destination=channel_prefix,
        channel=star_channel,
        following=star_body,
    )
