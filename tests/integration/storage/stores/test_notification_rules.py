"""The conditions in SQL decide as the pure function does, for each kind and audience."""

from __future__ import annotations

import itertools

import pytest

from storage.notification_channels import KINDS, OF_USERS, Audience, Channel, Preferences, choices
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.stores.notifications.notification_lookup import look_up
from tests.support.community import follow, new_users, ready_photo
from tests.support.deliveries import choose

pytestmark = pytest.mark.engines
COMMENTS = {NotificationKind.REPLY, NotificationKind.COMMENT_LIKE}  # about one, here about one that is not there


async def test_the_matrix_in_sql(database: Database) -> None:
    """Whether an activity is recorded, and published, is what the recipient's preferences say."""
    ann, bob, cal = await new_users(database, "ann", "bob", "cal")
    await follow(database, ann, bob)
    photo = await ready_photo(database, ann)
    everyone = tuple(Audience)
    for in_inbox, live in itertools.product(everyone, everyone):
        asked = {Channel.INBOX: in_inbox, Channel.LIVE: live}
        chosen = {
            (kind, channel): audience
            for kind in KINDS
            for channel, audience in asked.items()
            if audience in choices(kind, channel)
        }
        await choose(database, ann, chosen)
        preferences = Preferences(deviations=chosen)
        for kind, actor in itertools.product(NotificationKind, (bob, cal)):
            activity = Activity(
                recipient_id=ann.id,
                kind=kind,
                actor_id=actor.id if kind in OF_USERS else None,
                photo_id=photo.id,
                source_id=photo.id + 1024 if kind in COMMENTS else photo.id,
            )
            async with database.transaction() as tx:
                found = await look_up(tx, activity)
            assert found is not None
            followed, case = actor is bob, (kind, in_inbox, live, actor.username)
            assert found.allowed is preferences.allow(kind, Channel.INBOX, followed=followed), case
            # Only what is recorded is published.
            both = found.allowed and found.published
            assert both is preferences.allow(kind, Channel.LIVE, followed=followed), case
