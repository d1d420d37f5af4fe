"""Texts as HTML."""

from __future__ import annotations

import pytest

from server.mastodon.texts import Links, html_of
from storage.ids import encode
from storage.models import Mention
from storage.render.entities import entities_fields

LINKS = Links("https://p.example")


def _html(text: str, *mentions: Mention, names: dict[str, str] | None = None) -> str:
    return html_of(text, entities_fields(text, mentions), LINKS, names)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("plain", "<p>plain</p>"),
        ("one\ntwo\n\nthree", "<p>one<br />two</p><p>three</p>"),
        ("<script>&", "<p>&lt;script&gt;&amp;</p>"),
    ],
)
def test_a_text_is_escaped_and_in_paragraphs(text: str, html: str) -> None:
    """No markup of a user's passes."""
    assert _html(text) == html


def test_tags_and_mentions_are_links() -> None:
    """Their places are in UTF-16 code units, also behind an emoji; a mention leads to the present name."""
    text = "😀 #Sea <b> @ann"
    mention = Mention(offset=text.index("@") + 1, length=4, user_id=7)
    html = _html(text, mention, names={encode(7): "anna"})
    assert html == (
        '<p>😀 <a href="https://p.example/tag/sea" class="mention hashtag" rel="tag">#<span>Sea</span></a> &lt;b&gt; '
        '<span class="h-card"><a href="https://p.example/u/anna" class="u-url mention">@<span>ann</span></a></span></p>'
    )
