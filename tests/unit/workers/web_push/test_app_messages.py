"""Messages to apps: which ones an app gets, by kind and by its policy, and what they are made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from storage.models import Relation
from storage.notifications import NotificationKind
from storage.push import AppPush, PushPolicy
from tests.unit.workers.web_push.test_notices import ADA, COMMENT, LIKE, URL
from workers.web_push.app_messages import app_message_of, asks_for, needs_relation, permits

APP = AppPush(token=b"", alerts=frozenset({"favourite", "mention"}), policy=PushPolicy.ALL, legacy=True)
SHA256 = "ab" * 32


def test_an_app_gets_the_kinds_that_it_asks_for() -> None:
    """And neither summaries nor what Mastodon has no kind for."""
    assert asks_for(APP, LIKE)
    assert asks_for(APP, COMMENT)
    for kind in (NotificationKind.FOLLOW, NotificationKind.DECISION):
        assert not asks_for(APP, replace(LIKE, kind=kind))
    assert not asks_for(APP, replace(LIKE, actors=()))
    assert not asks_for(APP, None)


@pytest.mark.parametrize(
    ("policy", "stranger", "followed", "follower"),
    [
        (PushPolicy.ALL, True, True, True),
        (PushPolicy.FOLLOWED, False, True, False),
        (PushPolicy.FOLLOWER, False, False, True),
        (PushPolicy.NONE, False, False, False),
    ],
)
def test_the_policy_is_about_the_actor(policy: PushPolicy, *, stranger: bool, followed: bool, follower: bool) -> None:
    """As Mastodon has it; a relation is read for two of them."""
    app = replace(APP, policy=policy)
    relations = (Relation(), Relation(following=True), Relation(followed_by=True))
    assert tuple(permits(app, each) for each in relations) == (stranger, followed, follower)
    assert needs_relation(app) == (policy in {PushPolicy.FOLLOWED, PushPolicy.FOLLOWER})


def test_a_message_names_the_notification_and_its_actor() -> None:
    """By the id that the interface has for it, and with the avatar."""
    found = app_message_of(replace(COMMENT, position=77), token="a-token", public_url=URL)
    assert (found.token, found.notification_id, found.kind) == ("a-token", 77, "mention")
    assert (found.title, found.body) == (COMMENT.text, "How lovely")
    assert found.icon == f"{URL}/static/icons/picshare-192.png"
    entry = replace(LIKE, actors=(replace(ADA, avatar_sha256=SHA256),))
    shown = app_message_of(entry, token="a-token", public_url=URL)
    assert (shown.kind, shown.body, shown.icon) == ("favourite", "", f"{URL}/media/{SHA256}/thumb.jpg")
