"""A profile is read with one statement that agrees with the stores of accounts and relations."""

from __future__ import annotations

import pytest

from storage import ids
from storage.errors import NotFoundError
from storage.models import PresenceAudience, Relation
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, profiles, users
from storage.stores.social import blocks, relations
from tests.support.community import block, follow, new_users

pytestmark = pytest.mark.engines


async def test_a_profile_has_the_viewer_s_relation_and_permission(database: Database) -> None:
    """For each kind of viewer the profile has what the separate queries return; a name and an id find the same."""
    ann, fan, muter, blocker, idol, stranger = await new_users(
        database, "ann", "fan", "muter", "blocker", "idol", "stranger"
    )
    for follower, followee in ((fan, ann), (muter, ann), (ann, idol)):
        await follow(database, follower, followee)
    async with database.transaction() as tx:
        await blocks.mute(tx, muter.id, ann.id)
    await block(database, blocker, ann)
    for viewer in (ann, fan, muter, blocker, idol, stranger):
        profile = await profiles.find(database, "ANN", viewer_id=viewer.id)
        assert profile == await profiles.find(database, ids.encode(ann.id), viewer_id=viewer.id)
        assert profile.user == await users.get(database, ann.id)
        assert profile.relation == await relations.relation(database, viewer.id, ann.id)
        photos_and_presence = await relations.may_see_photos_and_presence(database, viewer.id, ann.id)
        assert photos_and_presence == (viewer is not blocker, profile.presence_visible)
        assert profile.presence_visible is (viewer in (ann, fan, muter)), viewer.username
    with pytest.raises(NotFoundError):
        await profiles.find(database, "blocker", viewer_id=ann.id)


async def test_a_visitor_has_no_relation_and_sees_no_presence(database: Database) -> None:
    """A visitor finds the account alone; an unknown name is not found."""
    (ann,) = await new_users(database, "ann")
    assert await profiles.find(database, "ann", viewer_id=None) == (ann, Relation(), False)
    with pytest.raises(NotFoundError):
        await profiles.find(database, "nobody", viewer_id=None)


async def test_photos_and_presence_are_permitted_separately(database: Database) -> None:
    """A private account hides its photos, one that shows its presence to nobody hides that, an unknown one both."""
    ann, fan, stranger = await new_users(database, "ann", "fan", "stranger")
    await follow(database, fan, ann)
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True, presence=PresenceAudience.NOBODY)
    assert await relations.may_see_photos_and_presence(database, fan.id, ann.id) == (True, False)
    assert await relations.may_see_photos_and_presence(database, stranger.id, ann.id) == (False, False)
    assert await relations.may_see_photos_and_presence(database, fan.id, 5) == (False, False)
