"""Entities have the fields that Mastodon documents, with values of their types."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import orjson
import pytest

from server.mastodon.accounts import account, account_of_summary, credential_account, relationship
from server.mastodon.statuses import audience_of, comment_status, photo_status, visibility_of
from server.mastodon.texts import Links
from storage.blobs.variants import VariantRegistry
from storage.models import (
    Comment,
    Photo,
    PhotoAudience,
    PhotoItem,
    PhotoState,
    Relation,
    User,
    UserSummary,
)
from storage.render.photo import photo_json

# https://docs.joinmastodon.org/entities/, without those that are optional.
ACCOUNT = {
    *("id", "username", "acct", "url", "display_name", "note", "avatar", "avatar_static", "header", "header_static"),
    *("locked", "fields", "emojis", "bot", "group", "discoverable", "created_at", "last_status_at", "statuses_count"),
    *("followers_count", "following_count", "uri", "indexable", "hide_collections"),
}
STATUS = {
    *("id", "uri", "created_at", "account", "content", "visibility", "sensitive", "spoiler_text", "media_attachments"),
    *("mentions", "tags", "emojis", "reblogs_count", "favourites_count", "replies_count", "url", "in_reply_to_id"),
    *("in_reply_to_account_id", "reblog", "poll", "card", "language", "edited_at", "favourited", "reblogged", "muted"),
    *("bookmarked", "filtered"),
}
ATTACHMENT = {"id", "type", "url", "preview_url", "remote_url", "meta", "description", "blurhash"}
RELATIONSHIP = {
    *("id", "following", "showing_reblogs", "notifying", "languages", "followed_by", "blocking", "blocked_by"),
    *("muting", "muting_notifications", "requested", "requested_by", "domain_blocking", "endorsed", "note"),
}
LINKS = Links("https://p.example")
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ANN = UserSummary(id=7 << 22, username="ann", display_name="Ann")
USER = User(id=ANN.id, username="ann", display_name="Ann", email="ann@p.example", bio="a <b>\nc", created_at=NOW)
PHOTO = Photo(
    id=9 << 22,
    author=ANN,
    state=PhotoState.READY,
    sha256="ab" * 32,
    content_type="image/jpeg",
    bytes=1000,
    width=640,
    height=427,
    caption="the #sea",
    alt_text="waves",
    tags=("sea",),
    likes=3,
    comments=2,
    created_at=NOW,
)


def _json_of(photo: Photo) -> dict[str, object]:
    return dict(orjson.loads(photo_json(photo, VariantRegistry(), liked=True, sign=lambda _: "exp=1&sig=x")))


def test_an_account_has_all_fields() -> None:
    """The address and other private data are in none of them."""
    found = account(USER, LINKS)
    assert found.keys() >= ACCOUNT
    assert found["note"] == "<p>a &lt;b&gt;<br />c</p>"
    assert account_of_summary(ANN, LINKS).keys() == found.keys()
    own = credential_account(USER, LINKS, requests=2)
    assert own["source"]["follow_requests_count"] == 2
    assert own["source"]["note"] == USER.bio
    assert b"ann@p.example" not in orjson.dumps(own)


def test_a_relation_has_all_fields() -> None:
    """The bell is `notifying`."""
    found = relationship(5, Relation(following=True, bell=True), requested_by=True)
    assert found.keys() >= RELATIONSHIP
    assert (found["id"], found["following"], found["notifying"], found["blocking"]) == ("5", True, True, False)
    assert (found["requested"], found["requested_by"]) == (False, True)


def test_a_photo_is_a_status() -> None:
    """With its counters, tags and picture; ids are decimal, and addresses are absolute."""
    found = photo_status(_json_of(PHOTO), {ANN.id: account(USER, LINKS)}, LINKS, bookmarked=True)
    assert found.keys() >= STATUS
    assert (found["id"], found["favourites_count"], found["replies_count"]) == (str(PHOTO.id), 3, 2)
    assert (found["favourited"], found["bookmarked"], found["in_reply_to_id"]) == (True, True, None)
    assert found["tags"] == [{"name": "sea", "url": "https://p.example/tag/sea"}]
    (picture,) = found["media_attachments"]
    assert picture.keys() >= ATTACHMENT
    assert (picture["type"], picture["description"]) == ("image", "waves")
    assert picture["url"].startswith("https://p.example/media/")
    assert picture["meta"]["original"]["size"] == "640x427"


def test_each_picture_of_a_photo_is_an_attachment() -> None:
    """In their order, with their own texts."""
    items = tuple(
        PhotoItem(sha256=f"{n:064x}", content_type="image/jpeg", bytes=9, width=64, height=64, alt_text=str(n))
        for n in range(3)
    )
    found = photo_status(_json_of(dataclasses.replace(PHOTO, items=items, pictures=3)), {}, LINKS)
    assert [each["description"] for each in found["media_attachments"]] == ["0", "1", "2"]
    assert len({each["id"] for each in found["media_attachments"]}) == 3


def test_a_photo_without_images_has_addresses_all_the_same() -> None:
    """While its images are made: an app would reject an attachment without them."""
    found = photo_status(_json_of(dataclasses.replace(PHOTO, state=PhotoState.PROCESSING)), {}, LINKS)
    (picture,) = found["media_attachments"]
    assert picture["url"].startswith("https://p.example/static/")


def test_a_comment_is_a_status_in_reply() -> None:
    """To the photo, or to the comment that it is below; it has the photo's visibility."""
    photo = dataclasses.replace(PHOTO, audience=PhotoAudience.FOLLOWERS)
    comment = Comment(id=11 << 22, photo_id=photo.id, author=ANN, text="nice", created_at=NOW)
    found = comment_status(comment, photo, {}, LINKS)
    assert found.keys() >= STATUS
    assert (found["in_reply_to_id"], found["in_reply_to_account_id"]) == (str(photo.id), str(ANN.id))
    assert found["visibility"] == "private"
    reply = dataclasses.replace(comment, id=12 << 22, reply_to=comment.id, answered_id=ANN.id)
    assert comment_status(reply, photo, {}, LINKS)["in_reply_to_id"] == found["id"]


@pytest.mark.parametrize(
    ("visibility", "audience"),
    [
        ("public", PhotoAudience.PUBLIC),
        ("unlisted", PhotoAudience.FOLLOWERS),
        ("private", PhotoAudience.FOLLOWERS),
        ("direct", PhotoAudience.ONLY_ME),
    ],
)
def test_a_visibility_is_never_wider_than_asked(visibility: str, audience: PhotoAudience) -> None:
    """PicShare has no "everyone, but in no list"; that becomes the followers."""
    assert audience_of(visibility) is audience


@pytest.mark.parametrize(
    ("audience", "locked", "visibility"),
    [
        ("public", False, "public"),
        ("public", True, "private"),
        ("followers", False, "private"),
        ("close_friends", False, "private"),
        ("only_me", True, "direct"),
    ],
)
def test_an_audience_is_shown_as_a_visibility(audience: str, locked: bool, visibility: str) -> None:
    """The photos of a private account are for its followers, whatever they say."""
    assert visibility_of(audience, locked=locked) == visibility


def test_an_unknown_visibility_is_refused() -> None:
    """Instead of being taken for public."""
    with pytest.raises(ValueError, match="public"):
        audience_of("everyone")
