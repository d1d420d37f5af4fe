"""Relations and notifications take as many statements for many accounts and comments as for one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from storage.notifications import NotificationKind
from storage.stores.accounts import users as accounts
from storage.stores.comments import comments
from tests.support.api import Api
from tests.support.apps import AppUser
from tests.support.community import follow, new_user, ready_photo, record_notification
from tests.support.statements import StatementLog

pytestmark = pytest.mark.engines

MANY = 8


async def _statements(log: StatementLog, ann: AppUser, path: str) -> tuple[Any, Counter[str]]:
    await log.take()
    found = await ann.get(path)
    sent = [sql for sql in await log.take() if "typeinfo_tree" not in sql and "'jit'" not in sql]
    return found, Counter(sent)


async def test_lists_are_read_together(api: Api, users: tuple[AppUser, AppUser]) -> None:
    """And they say what a single read would."""
    ann, ben = users
    db = api.services.db
    me = await accounts.get(db, int(ann.id))
    others = []
    for number in range(MANY):
        other = await new_user(db, f"other{number}")
        await follow(db, me, other)
        photo = await ready_photo(db, me)
        async with db.transaction() as tx:
            comment, _ = await comments.add(tx, photo_id=photo.id, author_id=other.id, text=f"number {number}")
            await record_notification(
                tx,
                recipient_id=me.id,
                kind=NotificationKind.COMMENT,
                actor_id=other.id,
                photo_id=photo.id,
                source_id=comment.id,
            )
        others.append(other.id)
    await ann.call("PATCH", "/v1/accounts/update_credentials", json={"locked": True})
    await ben.call("POST", f"/v1/accounts/{ann.id}/follow")
    ids = [*others, int(ben.id)]
    relations = "/v1/accounts/relationships?" + "&".join(f"id[]={each}" for each in ids)
    paths = [
        (f"/v1/accounts/relationships?id[]={ids[0]}", relations),
        ("/v1/notifications?limit=1&types[]=mention", f"/v1/notifications?limit={MANY}&types[]=mention"),
    ]
    for pair in paths:
        for path in pair:
            await ann.get(path)
    log = await StatementLog.open(db, connections=8)
    read = []
    for one, many in paths:
        _, single = await _statements(log, ann, one)
        found, several = await _statements(log, ann, many)
        assert single == several
        read.append(found)
    assert [(each["id"], each["following"], each["requested_by"]) for each in read[0]] == [
        *((str(other), True, False) for other in others),
        (ben.id, False, True),
    ]
    assert [each["account"]["id"] for each in read[1]] == [str(other) for other in reversed(others)]
    assert all("number" in each["status"]["content"] for each in read[1])
