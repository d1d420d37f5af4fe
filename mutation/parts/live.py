"""Live delivery, and the scripts of Redis."""

from __future__ import annotations

from mutation.parts.part import Part

LIVE = (
    Part(
        name="recovery",
        modules=["channels/hub/recovery.py", "channels/hub/delivery.py"],
        tests=[
            "tests/unit/channels/hub",
            "tests/integration/channels/hub/test_streams.py",
            "tests/integration/channels/hub/test_presence.py",
            "tests/integration/channels/commands/test_topics.py",
        ],
    ),
    Part(
        name="hub",
        modules=[
            "channels/hub/hub.py",
            "channels/hub/pending_subscribes.py",
            "channels/hub/block_lists.py",
            "channels/hub/heartbeat.py",
        ],
        tests=[
            "tests/unit/channels/hub",
            "tests/integration/channels/hub",
            "tests/integration/channels/commands",
        ],
    ),
    Part(
        name="pubsub",
        modules=["channels/bus/pubsub.py", "channels/bus/pubsub_connection.py", "channels/bus/registry.py"],
        tests=[
            "tests/unit/channels/bus",
            "tests/contract/test_pubsub.py",
            "tests/integration/channels/hub/test_outage.py",
        ],
    ),
    Part(
        name="lua-feeds",
        modules=["storage/feeds/lua/*.lua"],
        tests=[
            "tests/integration/storage/feeds",
            "tests/contract/test_stream_log.py",
        ],
    ),
    Part(
        name="lua-limits",
        modules=["storage/limits/lua/*.lua"],
        tests=["tests/integration/storage/limits"],
    ),
    Part(
        name="lua-cache",
        modules=["storage/cache/lua/*.lua", "storage/redis/lua/*.lua"],
        tests=["tests/integration/storage/cache", "tests/integration/storage/redis/test_stale_data.py"],
    ),
    Part(
        name="lua-live",
        modules=["channels/bus/scripts/*.lua"],
        tests=[
            "tests/integration/channels/bus/test_deliver.py",
            "tests/integration/channels/bus/test_presence_store.py",
            "tests/integration/channels/hub/test_presence.py",
            "tests/integration/storage/feeds/test_window_log.py",
        ],
    ),
    Part(
        name="degraded",
        modules=[
            "server/edge/positions.py",
            "storage/cache/write_positions.py",
            "storage/limits/local_quotas.py",
            "storage/limits/open_sessions.py",
            "storage/postgres/carried_position.py",
            "storage/postgres/fallback.py",
        ],
        tests=[
            "tests/unit/server/edge/test_positions.py",
            "tests/unit/storage/limits",
            "tests/unit/storage/postgres/test_fallback.py",
            "tests/unit/storage/postgres/test_reads.py",
            "tests/integration/server/api/test_degraded_modes.py",
            "tests/integration/server/api/test_replicas.py",
        ],
    ),
)
