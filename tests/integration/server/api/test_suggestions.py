"""Suggested accounts over the API."""

from __future__ import annotations

import pytest

from storage import ids
from storage.stores.discovery import account_suggestions
from storage.stores.discovery.account_suggestions import AccountSuggestion, SuggestionReason
from tests.support.api import Api
from tests.support.community import topics

pytestmark = pytest.mark.engines


async def test_suggestions(api: Api) -> None:
    """The first request has them made; then they are listed page by page, until they are dismissed or unsearchable."""
    db, viewer = api.services.db, await api.user()
    first = (await viewer.call("GET", "/suggestions/users")).expect(200)
    assert first == {"items": [], "next": None, "made_at": None}
    (await viewer.call("GET", "/suggestions/users")).expect(200)
    assert (await topics(db)).count("suggestions.wanted") == 1
    others = [await api.user() for _ in range(3)]
    reasons = (SuggestionReason.FRIENDS, SuggestionReason.PICK, SuggestionReason.KNOWN)
    await account_suggestions.store(
        db,
        ids.decode(viewer.id),
        [
            AccountSuggestion(user_id=ids.decode(other.id), reason=reason, number=2)
            for other, reason in zip(others, reasons, strict=True)
        ],
    )
    page = (await viewer.call("GET", "/suggestions/users", params={"limit": 2})).expect(200)
    assert [(item["username"], item["reason"], item["friends"]) for item in page["items"]] == [
        (others[0].name, "friends", 2),
        (others[1].name, "pick", None),
    ]
    assert page["made_at"] is not None
    for _ in range(2):
        assert (await viewer.call("DELETE", f"/suggestions/users/{others[1].id}")).status == 204
    rest = (await viewer.call("GET", "/suggestions/users", params={"cursor": page["next"]})).expect(200)
    assert ([item["username"] for item in rest["items"]], rest["next"]) == ([others[2].name], None)
    left = (await viewer.call("GET", "/suggestions/users")).expect(200)
    assert [item["username"] for item in left["items"]] == [others[0].name, others[2].name]
    (await others[2].call("PATCH", "/users/me", json={"searchable": False})).expect(200)
    left = (await viewer.call("GET", "/suggestions/users")).expect(200)
    assert [item["username"] for item in left["items"]] == [others[0].name]
    assert (await viewer.call("DELETE", f"/suggestions/users/{ids.encode(1)}")).status == 404
    assert (await viewer.call("GET", "/photos", params={"cursor": page["next"]})).status == 400
    assert (await api.visitor.call("GET", "/suggestions/users")).status == 401
