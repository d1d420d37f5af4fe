"""The list of push services."""

from __future__ import annotations

import pytest

from workers.web_push.hosts import KNOWN_HOSTS, PushHosts, checked_pattern


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("fcm.googleapis.com", "fcm.googleapis.com"),
        ("FCM.googleapis.com.", "fcm.googleapis.com"),
        ("updates.push.services.mozilla.com", "updates.push.services.mozilla.com"),
        ("web.push.apple.com", "web.push.apple.com"),
        ("api.push.apple.com", "*.push.apple.com"),
        ("wns2-par02p.notify.windows.com", "*.notify.windows.com"),
        ("push.apple.com", None),
        ("evilpush.apple.com", None),
        ("push.apple.com.example.com", None),
        ("xfcm.googleapis.com", None),
        ("127.0.0.1", None),
        ("", None),
    ],
)
def test_the_known_push_services_are_allowed(host: str, pattern: str | None) -> None:
    """By name or by the end of it, and no others."""
    assert PushHosts(KNOWN_HOSTS).match(host) == pattern


def test_every_host_can_be_allowed_and_none() -> None:
    """By a star, or an empty list."""
    assert PushHosts(["*"]).match("push.example.com") == "*"
    assert PushHosts([]).match("fcm.googleapis.com") is None


@pytest.mark.parametrize("text", [*KNOWN_HOSTS, "*", "127.0.0.1", "localhost", "Push.Example.com"])
def test_patterns_are_accepted(text: str) -> None:
    """In lower case."""
    assert checked_pattern(text) == text.lower()


@pytest.mark.parametrize("text", ["", "https://example.com", "*.", "a.*.com", "*example.com", "example.com:443", "a b"])
def test_other_texts_are_refused(text: str) -> None:
    """With what a pattern may be."""
    with pytest.raises(ValueError, match=r"write push\.example\.com"):
        checked_pattern(text)
