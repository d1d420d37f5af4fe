"""Moderators, reports and decisions, for tests over the API."""

from __future__ import annotations

from typing import Any

from storage import ids
from storage.models import Photo, Role
from storage.stores.accounts import users
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.community import ready_photo


async def moderator(api: Api, role: Role = Role.MODERATOR) -> ApiUser:
    """Sign up an account with a role."""
    user = await api.user()
    async with api.services.db.transaction() as tx:
        await users.set_role(tx, user.name, role)
    return user


async def photo_of(api: Api, author: ApiUser, **fields: Any) -> str:
    """Create a ready photo and return its id."""
    account = await users.get(api.services.db, ids.decode(author.id), viewer_id=ids.decode(author.id))
    photo: Photo = await ready_photo(api.services.db, account, **fields)
    return ids.encode(photo.id)


async def comment_on(author: ApiUser, photo_id: str, text: str = "buy my watches") -> str:
    """Write a comment and return its id."""
    response = await author.call("POST", f"/photos/{photo_id}/comments", json={"text": text})
    found: str = response.expect(201)["id"]
    return found


async def report(reporter: ApiUser, kind: str, subject_id: str, category: str = "spam", text: str = "") -> Any:
    """Report something for the first time and return the report."""
    form = {"kind": kind, "id": subject_id, "category": category, "text": text}
    return (await reporter.call("POST", "/reports", json=form)).expect(201)


async def cases_of(judge: ApiUser, **query: str) -> list[Any]:
    """Return the queue of cases."""
    found: list[Any] = (await judge.call("GET", "/moderation/cases", params={"limit": "100", **query})).expect(200)[
        "items"
    ]
    return found


async def case_about(judge: ApiUser, subject_id: str, **query: str) -> str:
    """Return the id of the case about a subject."""
    (found,) = [case["id"] for case in await cases_of(judge, **query) if case["subject_id"] == subject_id]
    return str(found)


async def decide(judge: ApiUser, case_id: str, action: str, reason: str = "It breaks rule 3.", **more: str) -> Any:
    """Decide a case and return the decision."""
    form = {"action": action, "reason": reason, **more}
    return (await judge.call("POST", f"/moderation/cases/{case_id}/decisions", json=form)).expect(201)
