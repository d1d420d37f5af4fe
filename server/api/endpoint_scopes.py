"""The scope that the token of an application needs, for each endpoint of the API.

Endpoints that concern the security of an account, or all of its data, refuse such tokens. What is missing in both lists
fails when a process starts, so that a new endpoint is thought about.
"""

from __future__ import annotations

from server.edge.endpoint import Auth, Endpoint
from server.identity.scopes import ANY

# Scope -> its endpoints, as "METHOD /path".
_BY_SCOPE = {
    # Each field of GraphQL needs the scope of the endpoint that does the same.
    ANY: "GET /graphql, POST /graphql",
    "read": "POST /live/token",
    "push": "GET /push/key, POST /push/subscriptions, DELETE /push/subscriptions/{id}",
    "read:accounts": """
        GET /users/me, GET /users, GET /users/{id}, GET /users/me/avatar, GET /users/me/banner, GET /suggestions/users
        """,
    "write:accounts": """
        PATCH /users/me, PUT /users/me/avatar, DELETE /users/me/avatar, PUT /users/me/banner, DELETE /users/me/banner,
        DELETE /suggestions/users/{id}
        """,
    "read:photos": """
        GET /feed, GET /photos, GET /photos/{id}, GET /photos/{id}/exif, GET /photos/trending, GET /tags/trending,
        GET /users/{id}/photos
        """,
    "write:photos": "POST /photos, PATCH /photos/{id}, DELETE /photos/{id}, DELETE /photos/{id}/exif",
    "write:media": """
        POST /uploads, POST /uploads/tus, HEAD /uploads/tus/{id}, PATCH /uploads/tus/{id}, DELETE /uploads/tus/{id},
        POST /uploads/tus/{id}
        """,
    "read:comments": "GET /photos/{id}/comments, GET /comments/{id}, GET /comments/{id}/replies",
    "write:comments": """
        POST /photos/{id}/comments, PATCH /comments/{id}, DELETE /comments/{id}, PUT /comments/{id}/pin,
        DELETE /comments/{id}/pin
        """,
    "read:likes": "GET /photos/{id}/likes",
    "write:likes": """
        PUT /photos/{id}/like, DELETE /photos/{id}/like, PUT /comments/{id}/like, DELETE /comments/{id}/like
        """,
    "read:collections": """
        GET /photos/saved-state, GET /users/me/saved, GET /collections, GET /collections/{id},
        GET /collections/{id}/items, GET /users/{id}/collections
        """,
    "write:collections": """
        PUT /photos/{id}/save, DELETE /photos/{id}/save, POST /collections, PATCH /collections/{id},
        DELETE /collections/{id}, POST /collections/{id}/items, PATCH /collections/{id}/items/{photo},
        DELETE /collections/{id}/items/{photo}
        """,
    "read:follows": """
        GET /users/{id}/followers, GET /users/{id}/following, GET /users/me/follow-requests, GET /tags/followed
        """,
    "write:follows": """
        PUT /users/{id}/follow, DELETE /users/{id}/follow, POST /users/{id}/bell, DELETE /users/{id}/bell,
        PUT /users/me/follow-requests/{id}, DELETE /users/me/follow-requests/{id}, PUT /tags/{tag}/follow,
        DELETE /tags/{tag}/follow
        """,
    "read:blocks": "GET /users/me/blocks",
    "write:blocks": "PUT /users/{id}/block, DELETE /users/{id}/block",
    "read:mutes": "GET /users/me/mutes, GET /notifications/mutes",
    "write:mutes": """
        PUT /users/{id}/mute, DELETE /users/{id}/mute, PUT /photos/{id}/mute, DELETE /photos/{id}/mute,
        PUT /comments/{id}/mute, DELETE /comments/{id}/mute
        """,
    "read:lists": """
        GET /lists, GET /lists/{id}, GET /lists/{id}/accounts, GET /users/{id}/lists, GET /users/me/close-friends
        """,
    "write:lists": """
        POST /lists, PATCH /lists/{id}, DELETE /lists/{id}, PUT /lists/{id}/accounts/{user},
        DELETE /lists/{id}/accounts/{user}, PUT /users/{id}/close-friend, DELETE /users/{id}/close-friend
        """,
    "read:notifications": """
        GET /notifications, GET /notifications/counters, GET /notifications/preferences, GET /notifications/quiet-hours,
        GET /notifications/digest
        """,
    "write:notifications": """
        POST /notifications/seen, POST /notifications/read, DELETE /notifications, DELETE /notifications/{id},
        POST /notifications/{id}/restore, PUT /notifications/preferences, PUT /notifications/quiet-hours,
        DELETE /notifications/quiet-hours, PUT /notifications/digest
        """,
    "read:search": "GET /search",
    "read:reports": "GET /users/me/reports, GET /users/me/decisions, GET /decisions/{id}",
    "write:reports": """
        POST /reports, POST /photos/{id}/reports, POST /comments/{id}/reports, POST /users/{id}/reports,
        POST /decisions/{id}/appeal
        """,
    "read:webhooks": "GET /webhooks, GET /webhooks/event-types, GET /webhooks/{id}, GET /webhooks/{id}/attempts",
    "write:webhooks": """
        PATCH /webhooks/{id}, DELETE /webhooks/{id}, POST /webhooks/{id}/ping,
        POST /webhooks/{id}/attempts/{attempt}/replay, POST /webhooks/{id}/replay
        """,
    "moderation": """
        GET /moderation/cases, GET /moderation/cases/{id}, PATCH /moderation/cases/{id},
        POST /moderation/cases/{id}/decisions, POST /moderation/decisions/{id}/reversal, GET /moderation/appeals,
        POST /moderation/appeals/{id}/answer, GET /moderation/{id}, POST /moderation/{id}
        """,
}
_SESSION_ONLY = """
    DELETE /users/me, GET /users/me/deletion, GET /users/me/email, POST /users/me/email,
    DELETE /users/me/email/change, POST /users/me/email/verification, DELETE /tokens/current, GET /users/me/identities,
    POST /users/me/identities, POST /users/me/identities/{provider}, DELETE /users/me/identities/{provider},
    GET /users/me/sessions, DELETE /users/me/sessions, DELETE /users/me/sessions/{session},
    POST /users/me/reauthentication, PATCH /users/me/password, GET /users/me/totp, POST /users/me/totp,
    POST /users/me/totp/confirmation, DELETE /users/me/totp, POST /users/me/recovery-codes, GET /users/me/passkeys,
    POST /users/me/passkeys/challenge, POST /users/me/passkeys, PATCH /users/me/passkeys/{id},
    DELETE /users/me/passkeys/{id}, POST /webhooks, POST /webhooks/{id}/secret, POST /users/me/exports,
    GET /users/me/exports, POST /users/me/imports, GET /users/me/imports, GET /users/me/imports/{id},
    GET /users/me/imports/{id}/items, GET /oauth/applications, POST /oauth/applications, GET /oauth/applications/{id},
    PUT /oauth/applications/{id}, DELETE /oauth/applications/{id}, POST /oauth/applications/{id}/secret,
    GET /oauth/authorization, POST /oauth/authorization, GET /users/me/tokens, POST /users/me/tokens,
    DELETE /users/me/tokens/{session}, GET /users/me/applications, DELETE /users/me/applications/{id}
    """


def _listed(text: str) -> list[str]:
    return [" ".join(each.split()) for each in text.split(",")]


SCOPES = {endpoint: scope for scope, text in _BY_SCOPE.items() for endpoint in _listed(text)}
SESSION_ONLY = frozenset(_listed(_SESSION_ONLY))


def scope_of(endpoint: Endpoint) -> str | None:
    """Return the scope that an endpoint needs, None if tokens of applications are refused or credentials are ignored.

    Raises `KeyError` for an endpoint that is in neither list.
    """
    name = f"{endpoint.method} {endpoint.path}"
    if endpoint.auth is Auth.NONE or name in SESSION_ONLY:
        return None
    return SCOPES[name]
