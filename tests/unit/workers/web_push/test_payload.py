"""The payload: the form of Declarative Web Push, in a bounded number of bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.web_push.encryption import MAX_PAYLOAD
from workers.web_push.payload import payload_of
from workers.web_push.port import AppMessage, PushAction, PushMessage

MESSAGE = PushMessage(
    title="ada liked your photo",
    body="",
    navigate="https://photos.example.com/p/01K3S9C0XG4Q7",
    tag="topic",
    icon="https://photos.example.com/static/icons/picshare-192.png",
    app_badge=3,
)


def test_a_browser_shows_the_payload_by_itself() -> None:
    """The members are those of the declarative form, and 8030 is its mark."""
    assert json.loads(payload_of(MESSAGE)) == {
        "web_push": 8030,
        "notification": {
            "title": "ada liked your photo",
            "body": "",
            "navigate": "https://photos.example.com/p/01K3S9C0XG4Q7",
            "tag": "topic",
            "lang": "en",
            "dir": "auto",
            "icon": "https://photos.example.com/static/icons/picshare-192.png",
        },
        "app_badge": 3,
    }


def test_buttons_are_those_of_the_declarative_form() -> None:
    """A browser that shows the message by itself opens the page of the button."""
    action = PushAction(action="follow:01K3", title="Follow back", navigate="https://photos.example.com/u/ada")
    assert json.loads(payload_of(replace(MESSAGE, actions=(action,))))["notification"]["actions"] == [
        {"action": "follow:01K3", "title": "Follow back", "navigate": "https://photos.example.com/u/ada"}
    ]
    assert "actions" not in json.loads(payload_of(MESSAGE))["notification"]


def test_what_is_unknown_is_left_out() -> None:
    """No number for the badge is not zero, which would remove it."""
    document = json.loads(payload_of(replace(MESSAGE, icon=None, app_badge=None)))
    assert "app_badge" not in document
    assert "icon" not in document["notification"]
    assert json.loads(payload_of(replace(MESSAGE, app_badge=0)))["app_badge"] == 0


@given(
    title=st.text(max_size=300),
    body=st.text(max_size=5000),
    limit=st.integers(min_value=400, max_value=MAX_PAYLOAD),
)
@settings(max_examples=100, deadline=None)
def test_texts_are_shortened_until_they_fit(title: str, body: str, limit: int) -> None:
    """The body first; what is left is the beginning with an ellipsis."""
    payload = payload_of(replace(MESSAGE, title=title, body=body), limit=limit)
    assert len(payload) <= limit
    shown = json.loads(payload)["notification"]
    for text, kept in ((title, shown["title"]), (body, shown["body"])):
        assert kept == text or (text.startswith(kept.removesuffix("…").rstrip()) and (kept.endswith("…") or not kept))
    assert shown["title"] == title or shown["body"] == ""


def test_the_body_uses_what_there_is() -> None:
    """No more of it is lost than has to be."""
    assert len(payload_of(replace(MESSAGE, body="a" * 5000))) > MAX_PAYLOAD - 8
    assert len(payload_of(replace(MESSAGE, body="🎈" * 5000))) > MAX_PAYLOAD - 12


def test_a_message_that_never_fits_is_an_error() -> None:
    """Its URLs cannot be shortened."""
    with pytest.raises(ValueError, match="does not fit into 100 bytes"):
        payload_of(MESSAGE, limit=100)


def test_an_app_gets_the_form_of_mastodon() -> None:
    """With its token; a long text is shortened, as a browser's is."""
    message = AppMessage(
        token="a-token",
        notification_id=2**60,
        kind="mention",
        icon="https://x.example/a.jpg",
        title="ada",
        body="b" * 5000,
    )
    assert "a-token" not in repr(message)
    payload = payload_of(message)
    found = json.loads(payload)
    assert len(payload) <= MAX_PAYLOAD
    assert found.pop("body").endswith("…")
    assert found == {
        "access_token": "a-token",
        "preferred_locale": "en",
        "notification_id": 2**60,
        "notification_type": "mention",
        "icon": "https://x.example/a.jpg",
        "title": "ada",
    }
