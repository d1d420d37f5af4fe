"""Interfaces for other programs: OAuth, OpenID Connect, GraphQL, apps of Mastodon, and link previews."""

from __future__ import annotations

from mutation.parts.part import Part

INTERFACES = (
    Part(
        name="oauth",
        modules=[
            "server/actions/applications.py",
            "server/actions/authorizations.py",
            "server/actions/token_access.py",
            "server/actions/token_grants.py",
            "server/actions/token_lookup.py",
            "server/identity/api_tokens.py",
            "server/identity/clients.py",
            "server/identity/opaque_tokens.py",
            "server/identity/pkce.py",
            "server/identity/redirect_uris.py",
            "server/identity/scopes.py",
            "storage/stores/credentials/api_tokens.py",
            "storage/stores/credentials/oauth_clients.py",
            "storage/stores/credentials/oauth_codes.py",
            "storage/stores/credentials/token_lists.py",
        ],
        tests=[
            "tests/unit/server/identity",
            "tests/integration/server/api/test_api_tokens.py",
            "tests/integration/server/api/test_oauth.py",
            "tests/integration/server/api/test_token_access.py",
            "tests/integration/server/administration/test_accounts.py",
            "tests/integration/workers/jobs/upkeep/test_token_retention.py",
        ],
    ),
    Part(
        name="providers",
        modules=[
            "server/actions/provider_accounts.py",
            "server/actions/provider_flow.py",
            "server/openid/*.py",
            "storage/stores/credentials/identities.py",
        ],
        tests=["tests/unit/server/openid", "tests/integration/server/api/test_oidc.py"],
    ),
    Part(
        name="graphql",
        modules=["server/graphql/*.py", "server/graphql/resolution/*.py", "server/graphql/subscriptions/*.py"],
        tests=["tests/unit/server/graphql", "tests/integration/server/graphql"],
    ),
    Part(
        name="mastodon",
        modules=["server/mastodon/*.py"],
        tests=["tests/unit/server/mastodon", "tests/integration/server/mastodon"],
    ),
    Part(
        name="previews",
        modules=["server/previews/*.py"],
        tests=["tests/integration/server/previews"],
    ),
)
