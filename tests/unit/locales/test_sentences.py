"""Texts with values: in English at once, in other languages by the catalogues."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from locales.catalogues import texts_of, translate
from locales.negotiation import accepted_language
from locales.sentences import counted_sentence, sentence


def test_a_sentence_is_its_english_text() -> None:
    """It can be used as any other text, also in JSON."""
    text = sentence("{actors} liked your photo", actors="ann {b}")
    assert text == "ann {b} liked your photo"
    assert orjson.dumps({"text": text}) == b'{"text":"ann {b} liked your photo"}'


def test_a_number_chooses_the_form() -> None:
    """One thing has the first form, every other number the second one."""
    texts = [counted_sentence("{count} new photo", "{count} new photos", count) for count in (0, 1, 2)]
    assert texts == ["0 new photos", "1 new photo", "2 new photos"]


def test_a_client_gets_template_and_values() -> None:
    """With them it can show the text in another language."""
    others = counted_sentence("{name} and {count} other", "{name} and {count} others", 3, name="ann")
    assert sentence("{actors} liked your photo", actors=others).localized() == {
        "text": "{actors} liked your photo",
        "values": {
            "actors": {
                "text": "{name} and {count} other",
                "several": "{name} and {count} others",
                "count": 3,
                "values": {"count": 3, "name": "ann"},
            }
        },
    }


def test_a_time_is_written_for_its_language() -> None:
    """In English it is in the form of the log, elsewhere as the language writes it."""
    text = sentence("Since {time}.", time=datetime(2026, 5, 3, 12, 30, tzinfo=UTC))
    assert text == "Since 2026-05-03 12:30 UTC."


def test_a_text_without_translation_stays_english() -> None:
    """A user reads an English text rather than none."""
    assert translate("No catalogue has this text.", "de") == "No catalogue has this text."
    assert translate(sentence("{what} has none.", what="This"), "ar") == "This has none."


@pytest.mark.parametrize(
    ("field", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR, ar;q=0.5, de;q=0.7", "de"),
        ("AR-eg", "ar"),
        ("de;q=0, en", "en"),
        ("de;q=x, ar;q=0.1", "ar"),
        ("*", "en"),
        (";;,,=", "en"),
    ],
)
def test_the_language_of_a_client(field: str, language: str) -> None:
    """The language with the greatest weight that PicShare has, whatever its region; else English."""
    assert accepted_language(field) == language


def test_english_needs_no_catalogue() -> None:
    """English texts are the keys."""
    assert texts_of("en", "page") == {}
