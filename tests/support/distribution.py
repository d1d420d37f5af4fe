"""How the migrations distribute the tables on a cluster: by which column, and which of them are placed together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """The distribution column of a table, and the group of tables whose rows with an equal value are on one server."""

    column: str
    group: str


_BY_SHARD = Distribution(column="shard", group="users")
_BY_CONTENT = Distribution(column="sha256", group="contents")

DISTRIBUTED: Mapping[str, Distribution] = {
    **dict.fromkeys(
        (
            "users", "sessions", "refresh_tokens", "following", "followers", "follow_requests", "blocks", "mutes",
            "close_friends", "inboxes", "photos", "photo_tags", "photo_exif", "photo_items", "likes", "comments",
            "comment_likes", "notifications", "notification_actors", "profile_images", "uploads", "waiting_activities",
            "idempotency_keys", "account_suggestions", "dismissed_suggestions", "tag_follows", "outbox", "dead_letters",
            "former_usernames", "user_search", "photo_text", "tag_recounts", "stars",
            "collections", "collection_items", "lists", "list_members",
            "webhook_endpoints", "webhook_deliveries", "webhook_attempts", "exports", "photo_moderation",
            "moderation_cases", "reports", "moderation_decisions", "moderation_appeals", "moderation_audit",
            "imports", "import_items", "account_identities",
            "media_hashes", "findings",
            "imports", "import_items",
            "media_hashes", "findings", "totp", "recovery_codes", "passkeys",
            "notification_preferences", "notification_schedules", "muted_subjects", "delivery_queues", "deliveries",
            "one_time_tokens", "email_changes", "mail_opt_outs",
            "push_subscriptions", "timeline_markers",
            "oauth_clients", "oauth_codes", "api_tokens",
        ),
        _BY_SHARD,
    ),
    "usernames": Distribution(column="username", group="usernames"),
    "emails": Distribution(column="email", group="emails"),
    "identities": Distribution(column="subject", group="identities"),
    "pending_emails": Distribution(column="email", group="emails"),
    "tags": Distribution(column="tag", group="tags"),
    "contents": _BY_CONTENT,
    "content_leases": _BY_CONTENT,
    "variants": _BY_CONTENT,
}  # fmt: skip

# Tables of the coordinator.
LOCAL = frozenset(
    {
        *("leases", "schema_migrations", "search_progress"),
        *("hash_lists", "hash_originals", "hash_images", "hash_bands"),
    }
)
