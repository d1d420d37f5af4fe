"""The page with what it shows before its script runs."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from server.edge.first_responses import FirstResponse, PageState
from server.edge.first_view import with_sign_in, with_state

ICON = "/static/v-1/icons/picshare.svg"
PAGE = (
    f'<html><head><link rel="icon" href="{ICON}"></head><body><div id="app"></div><noscript></noscript></body></html>'
).encode()
HOSTILE = '</script><b>"&'


def photo(**fields: Any) -> dict[str, Any]:
    """Return a photo as the API has it."""
    sizes = [
        {"width": width, "height": height, "jpg": f"/{width}.jpg", "webp": f"/{width}.webp"}
        for width, height in ((320, 320), (640, 480), (1080, 810))
    ]
    return {
        "id": "1",
        "author": {"username": "ann", "display_name": HOSTILE},
        "alt_text": HOSTILE,
        "width": 1600,
        "height": 1200,
        "images": {"sizes": sizes, "hdr": False},
        "urls": {"feed": "/1080.jpg"},
        **fields,
    }


def state(path: str, value: object) -> PageState:
    """Return the state of a page that shows a response."""

    def response(path: str, value: object) -> FirstResponse:
        return FirstResponse(path=path, query={}, body=orjson.dumps(value), expires_at=0)

    return PageState(account=response("/users/me", {"id": "7"}), others=[response(path, value)])


def page(path: str, value: object) -> str:
    """Return the page that shows a response, without what is for its script."""
    return re.sub("<script.*</script>", "", with_state(PAGE, state(path, value)).decode())


@pytest.mark.parametrize(("path", "value"), [("/feed", {"items": [photo()]}), ("/photos/1", photo())])
def test_a_page_has_its_first_picture(path: str, value: object) -> None:
    """In the formats and sizes that the script offers, without crops, before others, with the files of its version."""
    shown = page(path, value)
    assert 'srcset="/640.webp 640w, /1080.webp 1080w"' in shown
    assert 'srcset="/640.jpg 640w, /1080.jpg 1080w" src="/1080.jpg"' in shown
    assert 'fetchpriority="high"' in shown
    assert f'src="{ICON}"' in shown
    assert "<b>" not in shown


@pytest.mark.parametrize(
    "fields",
    [
        {"sensitive": True},
        {"items": [{}, {}]},
        {"video": {"seconds": 3}},
        {"state": "hidden"},
        {"width": 500},
        {"width": 4800},
        {"images": None},
    ],
)
def test_what_is_more_than_a_picture_is_drawn_by_the_script(fields: dict[str, Any]) -> None:
    """A cover, several pictures, a player, and a frame of another shape than that of the photo."""
    assert '<div id="app"></div>' in page("/feed", {"items": [photo(**fields)]})
    assert '<div id="app"></div>' in page("/photos/1", photo(**fields))


def test_an_empty_feed_has_no_picture() -> None:
    """The script draws what is shown in its place."""
    assert '<div id="app"></div>' in page("/feed", {"items": []})


@pytest.mark.parametrize(("fields", "loaded"), [({}, True), ({"sensitive": True}, False), ({"images": None}, False)])
def test_the_first_cell_of_a_profile_is_loaded_early(fields: dict[str, Any], *, loaded: bool) -> None:
    """Not one that is covered."""
    shown = page("/users/7/photos", {"items": [photo(**fields)]})
    assert ('imagesrcset="/640.webp 640w, /1080.webp 1080w"' in shown.partition("</head>")[0]) is loaded


def test_the_script_gets_the_responses() -> None:
    """As JSON that no text of a user ends, with a length that says nothing."""
    lengths = set()
    for _ in range(50):
        sent = with_state(PAGE, state("/feed", {"items": [photo()]})).decode()
        text = sent.partition('id="first-responses">')[2].partition("</script>")[0]
        assert "<" not in text
        found = orjson.loads(text)
        assert found["responses"] == [["/users/me", {}, {"id": "7"}], ["/feed", {}, {"items": [photo()]}]]
        assert found["expires_in"] == 0
        lengths.add(len(text))
    assert len(lengths) > 1


def test_visitors_see_a_text_before_the_form() -> None:
    """It is in the page itself."""
    assert "<h1>Photos from your friends" in with_sign_in(PAGE).decode()
