"""The modules that are mutated, in parts, and the tests that have to notice it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Part:
    """Modules and the tests that cover them, as paths from the root.

    `only` selects tests like pytest's `-k`. `redis` are the engines of the tests that run on several.
    """

    name: str
    modules: Sequence[str]
    tests: Sequence[str]
    only: str = ""
    redis: Sequence[str] = ("redis",)  # scripts behave alike on all engines

    def files(self, root: Path) -> list[Path]:
        """Return the files of the modules; a name with an asterisk stands for several."""
        return _found(root, self.modules)

    def test_paths(self, root: Path) -> list[Path]:
        """Return the files and folders of the tests."""
        return _found(root, self.tests)


def _found(root: Path, names: Sequence[str]) -> list[Path]:
    return [path for name in names for path in (sorted(root.glob(name)) if "*" in name else [root / name])]


PARTS = (
    Part(
        name="sessions",
        modules=[
            "server/actions/sessions.py",
            "storage/stores/credentials/sessions.py",
            "workers/jobs/sessions.py",
            "server/identity/tokens.py",
        ],
        tests=[
            "tests/unit/server/identity/test_tokens.py",
            "tests/unit/storage/stores/test_session_rotation.py",
            "tests/unit/workers/jobs/test_sessions.py",
            "tests/integration/storage/stores/test_sessions.py",
            "tests/integration/storage/stores/test_account_locks.py",
            "tests/integration/server/actions/test_accounts.py",
            "tests/integration/server/api/test_sessions.py",
            "tests/integration/server/api/test_users.py",
            "tests/integration/server/api/test_abuse_access.py",
            "tests/integration/workers/jobs/test_janitor.py",
        ],
    ),
    Part(
        name="authentication",
        modules=["server/edge/authentication.py", "server/edge/guard.py", "server/live/access.py"],
        tests=[
            "tests/unit/server/edge/test_authentication.py",
            "tests/unit/server/edge/test_guard.py",
            "tests/unit/server/live/test_access.py",
            "tests/unit/server/edge/test_edge_parts.py",
            "tests/integration/server/live/test_ports.py",
            "tests/integration/server/live/test_live.py",
            "tests/integration/server/live/test_presence.py",
            "tests/integration/server/api/test_sessions.py",
            "tests/integration/server/api/test_abuse_access.py",
        ],
    ),
    Part(
        name="tickets",
        modules=["storage/limits/tickets.py", "storage/limits/revocations.py"],
        tests=[
            "tests/unit/storage/limits/test_outage.py",
            "tests/integration/storage/limits/test_quotas.py",
            "tests/integration/server/live/test_ports.py",
            "tests/integration/server/api/test_sessions.py",
            "tests/integration/workers/jobs/test_janitor.py",
        ],
    ),
    Part(
        name="limits",
        modules=["server/identity/rate_limits.py", "server/identity/rate_limiter.py", "storage/limits/quotas.py"],
        tests=[
            "tests/unit/storage/limits/test_outage.py",
            "tests/unit/server/identity/test_rate_limiter.py",
            "tests/integration/storage/limits/test_quotas.py",
            "tests/integration/server/edge/test_responses.py",
            "tests/integration/server/api/test_sessions.py",
        ],
    ),
    Part(
        name="permissions",
        modules=[
            "storage/postgres/visibility.py",
            "storage/stores/account_lists.py",
            "storage/stores/account_locks.py",
            "storage/stores/social/blocks.py",
            "storage/stores/social/follows.py",
            "storage/stores/social/relations.py",
            "storage/stores/accounts/profiles.py",
            "server/actions/live_permissions.py",
            "server/actions/presence.py",
            "server/actions/relations.py",
            "workers/jobs/permissions.py",
        ],
        tests=[
            "tests/unit/server/actions/test_live_permissions.py",
            "tests/unit/workers/jobs/test_permissions.py",
            "tests/integration/storage/stores/test_account_lists.py",
            "tests/integration/storage/stores/test_account_locks.py",
            "tests/integration/storage/postgres/test_visibility.py",
            "tests/integration/storage/stores/test_relations_model.py",
            "tests/integration/storage/stores/test_relations.py",
            "tests/integration/storage/stores/test_profiles.py",
            "tests/integration/storage/stores/test_lists.py",
            "tests/integration/storage/stores/test_locks.py",
            "tests/integration/storage/stores/test_photos.py",
            "tests/integration/server/actions/test_relations.py",
            "tests/integration/server/live/test_live.py",
            "tests/integration/server/live/test_ports.py",
            "tests/integration/server/live/test_presence.py",
            "tests/integration/server/api/test_abuse_access.py",
            "tests/integration/workers/jobs/test_relations.py",
            "tests/integration/workers/jobs/test_account_removal.py",
        ],
    ),
    Part(
        name="accounts",
        modules=[
            "storage/stores/account_locks.py",
            "storage/stores/accounts/erasure.py",
            "storage/stores/accounts/users.py",
            "storage/stores/accounts/account_fields.py",
            "storage/stores/photos/photos.py",
            "storage/stores/photos/photo_deletion.py",
            "storage/stores/photos/photo_processing.py",
            "workers/jobs/account_removal.py",
        ],
        tests=[
            "tests/integration/workers/jobs/test_account_removal.py",
            "tests/integration/storage/stores/test_account_locks.py",
            "tests/integration/storage/stores/test_locks.py",
            "tests/integration/storage/stores/test_users.py",
            "tests/integration/storage/stores/test_photos.py",
            "tests/integration/storage/stores/test_erasure.py",
            "tests/integration/server/api/test_photos.py",
            "tests/integration/server/api/test_users.py",
        ],
    ),
    Part(
        name="media",
        modules=[
            "server/media/originals.py",
            "server/media/sending.py",
            "server/media/urls.py",
            "server/media/variants.py",
            "server/media/variant_requests.py",
            "server/media/variant_use.py",
            "storage/blobs/variants.py",
            "storage/stores/media/variants.py",
            "workers/jobs/variants.py",
        ],
        tests=[
            "tests/unit/server/media/test_urls.py",
            "tests/unit/server/media/test_routes.py",
            "tests/unit/server/media/test_sending.py",
            "tests/unit/server/edge/test_files.py",
            "tests/unit/storage/blobs/test_variants.py",
            "tests/integration/server/api/test_images.py",
            "tests/integration/workers/jobs/test_variants.py",
            "tests/integration/server/api/test_photos.py",
            "tests/integration/server/api/test_abuse_access.py",
            "tests/integration/server/api/test_sessions.py",
        ],
    ),
    Part(
        name="requests",
        modules=[
            "server/edge/body.py",
            "server/edge/api_request.py",
            "server/edge/pages.py",
            "server/edge/protocol.py",
            "server/edge/idempotency.py",
            "storage/stores/idempotency.py",
        ],
        tests=[
            "tests/unit/server/edge",
            "tests/integration/storage/stores/test_idempotency.py",
            "tests/integration/server/api/test_abuse_input.py",
            "tests/integration/server/edge/test_responses.py",
            "tests/integration/workers/jobs/test_janitor.py",
        ],
    ),
    Part(
        name="outbox",
        modules=[
            "storage/postgres/outbox.py",
            "storage/postgres/notifier.py",
            "workers/broker/claims.py",
            "workers/broker/local.py",
        ],
        tests=[
            "tests/unit/storage/postgres/test_notifier.py",
            "tests/unit/storage/postgres/test_outbox.py",
            "tests/integration/storage/postgres/test_outbox.py",
            "tests/unit/workers/broker",
            "tests/contract/test_broker.py",
            "tests/contract/test_dead_letters.py",
            "tests/integration/workers/broker/test_local.py",
        ],
        only="not rabbit and not Rabbit",
    ),
    Part(
        name="relay",
        modules=["workers/broker/relay.py"],
        tests=["tests/integration/workers/broker/test_relay.py"],
    ),
    Part(
        name="contents",
        modules=["storage/stores/media/contents.py", "workers/jobs/contents.py", "workers/jobs/janitor.py"],
        tests=[
            "tests/unit/workers/jobs/test_janitor_tasks.py",
            "tests/integration/storage/stores/test_contents.py",
            "tests/integration/workers/jobs/test_contents.py",
            "tests/integration/workers/jobs/test_janitor.py",
            "tests/integration/workers/jobs/test_variants.py",
        ],
    ),
    Part(
        name="likes",
        modules=["storage/stores/photos/likes.py"],
        tests=[
            "tests/integration/storage/stores/test_likes_comments.py",
            "tests/integration/storage/stores/test_locks.py",
            "tests/integration/storage/cache/test_photo_trends.py",
            "tests/integration/server/actions/test_reactions.py",
        ],
    ),
    Part(
        name="notifications",
        modules=["storage/stores/inbox_lock.py", "storage/stores/notifications/notification*.py"],
        tests=[
            "tests/unit/storage/stores/test_notification_text.py",
            "tests/integration/storage/stores/test_inbox_lock.py",
            "tests/integration/storage/stores/test_notification*.py",
            "tests/integration/workers/jobs/test_comments.py",
            "tests/integration/workers/jobs/test_inbox.py",
            "tests/integration/workers/jobs/test_notify.py",
            "tests/integration/workers/jobs/test_withdrawal.py",
            "tests/integration/workers/jobs/test_janitor.py",
        ],
    ),
    Part(
        name="uploads",
        modules=["server/actions/uploads.py", "storage/stores/photos/uploads.py", "workers/jobs/uploads.py"],
        tests=[
            "tests/integration/storage/stores/test_account_locks.py",
            "tests/integration/storage/stores/test_uploads.py",
            "tests/integration/server/actions/test_uploads.py",
            "tests/integration/server/api/test_signed_uploads.py",
            "tests/integration/server/api/test_tus.py",
        ],
    ),
    Part(
        name="presign",
        modules=["storage/blobs/presign.py", "storage/blobs/s3_address.py"],
        tests=["tests/unit/storage/blobs"],
    ),
    Part(
        name="outbound",
        modules=[
            "storage/circuit.py",
            "workers/outbound/addresses.py",
            "workers/outbound/circuits.py",
            "workers/outbound/client.py",
            "workers/outbound/dialling.py",
            "workers/outbound/failures.py",
            "workers/outbound/resolving.py",
            "workers/outbound/urls.py",
        ],
        tests=[
            "tests/unit/storage/test_circuit.py",
            "tests/unit/workers/outbound",
            "tests/unit/workers/caches/test_purger.py",
        ],
    ),
    Part(
        name="s3",
        modules=["storage/blobs/s3.py", "storage/blobs/s3_client.py"],
        tests=["tests/integration/storage/blobs", "tests/contract/test_blobs.py"],
        only="seaweed or openstack or faults",
    ),
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
        modules=["channels/hub/hub.py", "channels/hub/block_lists.py", "channels/hub/heartbeat.py"],
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
        name="webhooks",
        modules=[
            "workers/webhooks/*.py",
            "workers/jobs/webhook*.py",
            "storage/stores/webhooks/*.py",
            "server/actions/webhooks.py",
        ],
        tests=[
            "tests/unit/workers/webhooks",
            "tests/contract/test_webhooks.py",
            "tests/integration/workers/jobs/test_webhook*.py",
            "tests/integration/server/api/test_webhooks.py",
            "tests/integration/server/administration/test_webhooks.py",
        ],
    ),
    Part(
        name="lists",
        modules=[
            "storage/stores/social/lists.py",
            "storage/stores/social/list_members.py",
            "storage/stores/photos/list_photos.py",
            "server/actions/lists.py",
        ],
        tests=[
            "tests/integration/storage/stores/test_account_locks.py",
            "tests/integration/storage/stores/test_erasure.py",
            "tests/integration/server/actions/test_lists.py",
            "tests/integration/server/api/test_lists.py",
        ],
    ),
    Part(
        name="collections",
        modules=[
            "storage/stores/saved/photo_collections.py",
            "storage/stores/saved/collection_items.py",
            "storage/stores/saved/collection_order.py",
            "server/actions/photo_collections.py",
        ],
        tests=[
            "tests/integration/storage/stores/test_account_locks.py",
            "tests/integration/server/api/test_collections.py",
        ],
    ),
    Part(
        name="exports",
        modules=[
            "storage/stores/archives/exports.py",
            "storage/stores/archives/export_contents.py",
            "workers/exports/*.py",
            "workers/jobs/export_removal.py",
            "workers/jobs/exports.py",
            "server/actions/exports.py",
            "server/media/export_urls.py",
        ],
        tests=[
            "tests/integration/storage/stores/test_account_locks.py",
            "tests/integration/workers/jobs/test_exports.py",
            "tests/integration/server/api/test_exports.py",
        ],
    ),
    Part(
        name="threads",
        modules=[
            "storage/stores/comments/comment_threads.py",
            "storage/stores/comments/comment_likes.py",
            "workers/jobs/comments.py",
        ],
        tests=[
            "tests/integration/storage/stores/test_comment_threads.py",
            "tests/integration/workers/jobs/test_comments.py",
        ],
    ),
    Part(
        name="proofs",
        modules=[
            "server/identity/challenges.py",
            "server/identity/recovery_codes.py",
            "server/identity/relying_party.py",
            "server/identity/secret_box.py",
            "server/identity/totp.py",
            "server/actions/passkeys.py",
            "server/actions/password_change.py",
            "server/actions/reauthentication.py",
            "server/actions/second_factor.py",
            "server/actions/sign_in.py",
            "server/actions/sign_in_challenges.py",
            "storage/stores/credentials/passkeys.py",
            "storage/stores/credentials/second_factors.py",
        ],
        tests=[
            "tests/unit/server/identity",
            "tests/integration/server/api/test_account_security.py",
            "tests/integration/server/api/test_sessions.py",
            "tests/integration/server/administration/test_accounts.py",
        ],
    ),
    Part(
        name="mail-links",
        modules=[
            "server/actions/email_addresses.py",
            "server/actions/links.py",
            "server/actions/password_resets.py",
            "storage/stores/accounts/email_addresses.py",
            "storage/stores/accounts/email_changes.py",
            "storage/stores/credentials/one_time_tokens.py",
        ],
        tests=[
            "tests/integration/server/api/test_email_addresses.py",
            "tests/integration/server/api/test_password_resets.py",
            "tests/integration/storage/stores/test_account_locks.py",
        ],
    ),
    Part(
        name="moderation",
        modules=[
            "server/actions/appeals.py",
            "server/actions/cases.py",
            "server/actions/enforcement.py",
            "server/actions/moderation.py",
            "server/actions/moderators.py",
            "storage/stores/accounts/account_restrictions.py",
            "storage/stores/moderation/decisions.py",
            "storage/stores/photos/photo_moderation.py",
            "workers/webhooks/verdict_tokens.py",
        ],
        tests=[
            "tests/unit/workers/webhooks",
            "tests/integration/storage/stores/test_photo_moderation.py",
            "tests/integration/server/api/test_moderation.py",
            "tests/integration/server/api/test_reports.py",
            "tests/integration/server/api/test_restrictions.py",
            "tests/integration/server/api/test_reviews.py",
            "tests/integration/workers/jobs/test_verdicts.py",
        ],
    ),
    Part(
        name="push",
        modules=[
            "server/actions/push.py",
            "storage/stores/notifications/push_subscriptions.py",
            "workers/web_push/*.py",
        ],
        tests=[
            "tests/unit/workers/web_push",
            "tests/integration/server/api/test_push.py",
            "tests/integration/workers/jobs/test_pushes.py",
        ],
    ),
    Part(
        name="imports",
        modules=[
            "server/actions/imports.py",
            "storage/stores/photos/import_items.py",
            "storage/stores/archives/imports.py",
            "workers/imports/*.py",
        ],
        tests=[
            "tests/unit/server/actions/test_imports.py",
            "tests/integration/server/api/test_imports.py",
            "tests/integration/storage/stores/test_account_locks.py",
        ],
    ),
    Part(
        name="highlights",
        modules=["storage/feeds/frozen_lists.py", "storage/feeds/highlights.py"],
        tests=["tests/integration/storage/feeds/test_highlights.py", "tests/integration/server/api/test_highlights.py"],
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
    Part(
        name="page",
        modules=["static/live/*.js"],
        tests=["tests/browser/test_live_*.py", "tests/browser/test_first_connection.py"],
    ),
)
