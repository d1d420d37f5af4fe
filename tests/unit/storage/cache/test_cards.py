"""The JSON of a photo."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from storage.cache.cards import is_visible
from storage.ids import encode
from storage.models import Photo, PhotoState, UserSummary
from storage.render.photo import assemble, photo_card, photo_json

SHA = "ab" * 32
AUTHOR = UserSummary(id=1025, username="mia", display_name="Mia Ångström", avatar_sha256="cd" * 32)


def photo(**changes: Any) -> Photo:
    """Return a ready, public photo with some changes."""
    fields: dict[str, Any] = {
        "id": 2049,
        "author": AUTHOR,
        "state": PhotoState.READY,
        "sha256": SHA,
        "content_type": "image/jpeg",
        "bytes": 12,
        "width": 1080,
        "height": 720,
        "placeholder": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        "caption": 'quoted "words" </script>\n',
        "alt_text": "a fjord",
        "tags": ("sea", "summer"),
        "location": "Bergen",
        "likes": 3,
        "comments": 2,
        "created_at": datetime(2026, 11, 20, 9, 5, 7, 123456, tzinfo=UTC),
    }
    return Photo(**(fields | changes))


def test_shape_of_a_photo() -> None:
    """A photo has exactly the fields that the API documents."""
    assert json.loads(photo_json(photo(), liked=True)) == {
        "id": encode(2049),
        "author": {
            "id": encode(1025),
            "username": "mia",
            "display_name": "Mia Ångström",
            "avatar_url": f"/media/{'cd' * 32}/thumb.jpg",
        },
        "caption": 'quoted "words" </script>\n',
        "alt_text": "a fjord",
        "tags": ["sea", "summer"],
        "location": "Bergen",
        "created_at": "2026-11-20T09:05:07.123Z",
        "state": "ready",
        "width": 1080,
        "height": 720,
        "placeholder": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        "likes": 3,
        "comments": 2,
        "liked": True,
        "urls": {"thumb": f"/media/{SHA}/thumb.jpg", "feed": f"/media/{SHA}/feed.jpg"},
    }


def test_times_are_utc_with_milliseconds() -> None:
    """Times are in UTC, and whole seconds have milliseconds, too."""
    moment = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert json.loads(photo_json(photo(created_at=moment), liked=False))["created_at"] == "2025-12-31T23:30:00.000Z"


@pytest.mark.parametrize("state", [PhotoState.PROCESSING, PhotoState.REJECTED, PhotoState.HIDDEN])
@pytest.mark.parametrize("private", [True, False])
def test_no_urls_before_there_are_variants(state: PhotoState, private: bool) -> None:
    """A photo that is not ready has no URLs, because its variants do not exist yet."""
    caption = json.loads(photo_json(photo(state=state, author_private=private), liked=False, sign=lambda path: path))
    assert (caption["state"], caption["urls"]) == (state, {})


def test_private_urls_are_signed_in_each_response() -> None:
    """The card of a private author's photo has no usable URL; each response signs its own."""
    card = photo_card(photo(author_private=True))
    assert b"/media/" + SHA.encode() not in card
    signed = assemble(card, likes=1, comments=0, liked=False, sign=lambda path: f"{path}?sig=1")
    assert json.loads(signed)["urls"] == {
        "thumb": f"/media/{SHA}/thumb.jpg?sig=1",
        "feed": f"/media/{SHA}/feed.jpg?sig=1",
    }
    assert json.loads(assemble(card, likes=1, comments=0, liked=False, sign=None))["urls"] == {}


def test_public_urls_are_not_signed() -> None:
    """The URLs of public photos are the same for all viewers, so that caches can store them."""
    caption = json.loads(photo_json(photo(), liked=False, sign=lambda path: f"{path}?sig=1"))
    assert caption["urls"]["feed"] == f"/media/{SHA}/feed.jpg"


@pytest.mark.parametrize(("value", "shown"), [(b"-", False), (b"~", False), (b"?", False), (photo_card(photo()), True)])
def test_marks_are_no_cards(value: bytes, shown: bool) -> None:
    """The marks for deleted, hidden and changing photos are not taken for cards."""
    assert is_visible(value) is shown
