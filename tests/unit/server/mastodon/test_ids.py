"""Ids of the interface of Mastodon."""

from __future__ import annotations

import pytest

from server.mastodon import ids
from server.mastodon.ids import PictureRef, StatusRef
from storage.errors import NotFoundError
from storage.ids import MAX_ID, first_id_at

NEWEST = first_id_at(2_840_000_000) | 1023  # in the year 2059


@pytest.mark.parametrize("found", [1, 120835330852326407, NEWEST])
def test_a_status_says_whether_it_is_a_photo_or_a_comment(found: int) -> None:
    """Both kinds of ids are decimal, fit 63 bits, differ, and lead back to their row."""
    photo, comment = str(found), ids.comment_status(found)
    assert comment != photo
    assert comment.isdigit()
    assert int(comment) <= MAX_ID
    assert ids.parse_status(photo) == StatusRef(found)
    assert ids.parse_status(comment) == StatusRef(found, is_comment=True)


@pytest.mark.parametrize("place", range(ids.MAX_PICTURES))
def test_a_picture_names_its_photo_and_place(place: int) -> None:
    """The id of a picture leads back to both."""
    assert ids.parse_picture(ids.picture(NEWEST, place)) == PictureRef(NEWEST, place)


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "0x10", "03BAB2ZDWA307", "٣", "1" * 21, str(MAX_ID + 1), "1 ", "null"]
)
def test_a_text_that_is_no_id_names_nothing(text: str) -> None:
    """It is a 404, as an unknown id is, and never an error of another kind."""
    with pytest.raises(NotFoundError):
        ids.parse_id(text)
    with pytest.raises(NotFoundError):
        ids.parse_status(text)
