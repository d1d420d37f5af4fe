"""The JSON of a photo."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from storage.blobs.variants import VariantRegistry
from storage.cache.cards import is_visible
from storage.ids import encode
from storage.models import Photo, PhotoState, UserSummary, Video
from storage.render.images import opened, unopened, urls_of
from storage.render.photo import assemble, owner_photo_json, photo_card, photo_json, with_urls

SHA = "ab" * 32
VARIANTS = VariantRegistry(recipe=7)
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
    assert json.loads(photo_json(photo(), VARIANTS, liked=True)) == {
        "id": encode(2049),
        "author": {
            "id": encode(1025),
            "username": "mia",
            "display_name": "Mia Ångström",
            "avatar_url": f"/media/{'cd' * 32}/thumb.jpg",
        },
        "audience": "public",
        "caption": 'quoted "words" </script>\n',
        "caption_entities": [],
        "alt_text": "a fjord",
        "tags": ["sea", "summer"],
        "location": "Bergen",
        "taken_at": None,
        "edited_at": None,
        "created_at": "2026-11-20T09:05:07.123Z",
        "state": "ready",
        "sensitive": False,
        "width": 1080,
        "height": 720,
        "placeholder": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        "likes": 3,
        "comments": 2,
        "liked": True,
        "video": None,
        "urls": {"thumb": f"/media/r7/{SHA}/320.jpg", "feed": f"/media/r7/{SHA}/1080.jpg"},
        "images": {
            "placeholder": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
            "hdr": False,
            "sizes": [
                {"width": width, "height": height}
                | {name: f"/media/r7/{SHA}/{side}.{name}" for name in ("jpg", "webp", "avif")}
                for side, width, height in ((160, 160, 160), (320, 320, 213), (640, 640, 427), (1080, 1080, 720))
            ],
        },
    }


def test_a_photo_of_high_dynamic_range_says_so() -> None:
    """`images.hdr` is set for a photo whose JPEGs have a gain map."""
    assert json.loads(photo_json(photo(hdr=True), VARIANTS, liked=True))["images"]["hdr"] is True


def test_an_animation_has_its_motion() -> None:
    """`images` of an animation have the image with all frames; the card of a still photo has nothing more for it."""
    shown = json.loads(photo_json(photo(motion="webp"), VARIANTS, liked=True))
    still = json.loads(photo_json(photo(), VARIANTS, liked=True))
    assert shown["images"].pop("motion") == {"width": 640, "height": 427, "webp": f"/media/r7/{SHA}/motion.webp"}
    assert shown == still
    assert b"motion" not in photo_card(photo(), VARIANTS)
    private = photo_json(photo(motion="webp", author_private=True), VARIANTS, liked=True, sign=lambda _: "exp=1&sig=2")
    assert json.loads(private)["images"]["motion"]["webp"] == f"/media/r7/{SHA}/motion.webp?exp=1&sig=2"


def test_a_video_has_what_is_played() -> None:
    """`video` is beside `images`, with a signed URL for a private photo, and null for a picture."""
    played = Video(width=1280, height=720, duration=12.345, bytes=2_000_000)
    fields = {"width": 1280, "height": 720, "duration": 12.345, "bytes": 2_000_000}
    shown = json.loads(photo_json(photo(video=played), VARIANTS, liked=True))
    still = json.loads(photo_json(photo(), VARIANTS, liked=True))
    assert shown.pop("video") == {"url": f"/media/r7/{SHA}/video.mp4", **fields}
    assert still.pop("video") is None
    assert shown == still
    private = photo_json(photo(video=played, author_private=True), VARIANTS, liked=True, sign=lambda _: "exp=1&sig=2")
    assert json.loads(private)["video"] == {"url": f"/media/r7/{SHA}/video.mp4?exp=1&sig=2", **fields}


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    "changes", [{}, {"motion": "webp"}, {"video": Video(width=1280, height=720, duration=1.5, bytes=9)}]
)
def test_opened_later(private: bool, changes: dict[str, Any]) -> None:
    """What is opened when it is needed is what a photo has otherwise, with signed URLs if it is private."""
    card = photo_card(photo(author_private=private, **changes), VARIANTS)
    whole = json.loads(with_urls(card, lambda _: "exp=1&sig=2") + b"}")
    later = json.loads(with_urls(card, lambda _: "exp=1&sig=2", unopened) + b"}")
    media = later.pop("media")
    assert urls_of(media) == whole["urls"]
    found = opened(media)
    assert later | found | {"images": later["images"] | found["images"]} == whole


def test_times_are_utc_with_milliseconds() -> None:
    """Times are in UTC, and whole seconds have milliseconds, too."""
    moment = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert (
        json.loads(photo_json(photo(created_at=moment), VARIANTS, liked=False))["created_at"]
        == "2025-12-31T23:30:00.000Z"
    )


@pytest.mark.parametrize("state", [PhotoState.PROCESSING, PhotoState.REJECTED])
@pytest.mark.parametrize("private", [True, False])
def test_no_urls_before_there_are_variants(state: PhotoState, private: bool) -> None:
    """A photo that is not ready has no URLs, because its variants do not exist yet."""
    caption = json.loads(
        photo_json(photo(state=state, author_private=private), VARIANTS, liked=False, sign=lambda _: "sig=1")
    )
    assert (caption["state"], caption["urls"], caption["images"]["sizes"]) == (state, {}, [])


def test_a_hidden_photo_has_urls_for_its_author() -> None:
    """The images of a hidden photo have signed URLs of their own, also of a public account."""
    shown = json.loads(
        photo_json(photo(state=PhotoState.HIDDEN), VARIANTS, liked=False, sign=lambda path: f"sig={path}")
    )
    prefix = f"/media/review/r7/{SHA}/"
    assert shown["urls"]["feed"] == f"{prefix}1080.jpg?sig={prefix}"
    assert all(size["jpg"].startswith(prefix) for size in shown["images"]["sizes"])


def test_private_urls_are_signed_in_each_response() -> None:
    """Each response signs a private photo's images: one signature of their common prefix serves all URLs."""
    card = photo_card(photo(author_private=True, caption="why? \n!"), VARIANTS)
    signed: list[str] = []

    def sign(prefix: str) -> str:
        signed.append(prefix)
        return "exp=1&sig=2"

    shown = json.loads(assemble(card, likes=1, comments=0, liked=False, sign=sign))
    assert signed == [f"/media/r7/{SHA}/"]
    assert shown["caption"] == "why? \n!"
    assert shown["urls"]["feed"] == f"/media/r7/{SHA}/1080.jpg?exp=1&sig=2"
    urls = [image[name] for image in shown["images"]["sizes"] for name in ("jpg", "webp", "avif")]
    assert len(urls) == 12
    assert all(url.startswith(signed[0]) and url.endswith("?exp=1&sig=2") for url in urls)


def test_without_a_signature_private_photos_have_no_urls() -> None:
    """Where nothing signs, a private photo has neither `urls` nor `images`."""
    card = photo_card(photo(author_private=True), VARIANTS)
    shown = json.loads(assemble(card, likes=1, comments=0, liked=False, sign=None))
    assert (shown["urls"], shown["images"]["sizes"]) == ({}, [])


def test_public_urls_are_not_signed() -> None:
    """The URLs of public photos are the same for all viewers, so that caches can store them."""
    shown = json.loads(photo_json(photo(), VARIANTS, liked=False, sign=lambda _: "sig=1"))
    assert shown["urls"]["feed"] == f"/media/r7/{SHA}/1080.jpg"
    assert shown["images"]["sizes"][1]["webp"] == f"/media/r7/{SHA}/320.webp"


def test_the_owner_gets_the_original() -> None:
    """The author of a private photo gets signed images, and the original, which needs no signature."""
    shown = json.loads(owner_photo_json(photo(author_private=True), VARIANTS, liked=False, sign=lambda _: "sig=1"))
    assert shown["urls"]["original"] == f"/media/{SHA}/original.jpg"
    assert shown["urls"]["thumb"] == f"/media/r7/{SHA}/320.jpg?sig=1"
    assert shown["images"]["sizes"][-1]["avif"] == f"/media/r7/{SHA}/1080.avif?sig=1"


def test_a_card_is_small() -> None:
    """A card, of which Redis has one for every photo in use, holds no URLs; the JSON is a multiple of it."""
    card = photo_card(photo(width=4000, height=3000), VARIANTS)
    assert b".webp" not in card
    assert len(with_urls(card, None)) > 2.5 * len(card)


def test_cards_of_the_former_version_are_read() -> None:
    """Cards that Redis has from before there were recipes are served as they are; private ones get former URLs."""
    assert with_urls(b'{"id":"x","urls":{"feed":"/media/y/feed.jpg"}', None).endswith(b'feed.jpg"}')
    card = b"!" + SHA.encode() + b'{"id":"x"'
    shown = json.loads(assemble(card, likes=1, comments=0, liked=False, sign=lambda path: f"sig={path}"))
    assert shown["urls"]["feed"] == f"/media/{SHA}/feed.jpg?sig=/media/{SHA}/feed.jpg"


@pytest.mark.parametrize(
    ("value", "shown"), [(b"-", False), (b"~", False), (b"?", False), (photo_card(photo(), VARIANTS), True)]
)
def test_marks_are_no_cards(value: bytes, shown: bool) -> None:
    """The marks for deleted, hidden and changing photos are not taken for cards."""
    assert is_visible(value) is shown
