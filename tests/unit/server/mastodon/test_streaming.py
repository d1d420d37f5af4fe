"""Which events belong to which stream, and in which form they are written."""

from __future__ import annotations

import orjson
import pytest

from server.live.access import APPS_PUBLIC
from server.mastodon.live_events import LiveEvent
from server.mastodon.streaming import Stream, as_event, as_frame
from workers.jobs.live.publications import FEED, NOTIFICATIONS

UPDATE = LiveEvent(name="update", payload=b'{"id":"1"}', author_id=7, tags=frozenset({"sea"}))
DELETE = LiveEvent(name="delete", payload=b"1")


@pytest.mark.parametrize(
    ("stream", "channel", "event", "expected"),
    [
        (Stream("user"), FEED, UPDATE, True),
        (Stream("user"), FEED, DELETE, True),
        (Stream("user"), NOTIFICATIONS, UPDATE, True),
        (Stream("user"), APPS_PUBLIC, UPDATE, False),
        (Stream("user:notification"), NOTIFICATIONS, UPDATE, True),
        (Stream("user:notification"), FEED, UPDATE, False),
        (Stream("public"), APPS_PUBLIC, UPDATE, True),
        (Stream("public:local"), APPS_PUBLIC, UPDATE, True),
        (Stream("public"), FEED, UPDATE, False),
        (Stream("public:remote"), APPS_PUBLIC, UPDATE, False),
        (Stream("hashtag", "sea"), APPS_PUBLIC, UPDATE, True),
        (Stream("hashtag", "sun"), APPS_PUBLIC, UPDATE, False),
        (Stream("list", "5", frozenset({7})), FEED, UPDATE, True),
        (Stream("list", "5", frozenset({8})), FEED, UPDATE, False),
        (Stream("list", "5", frozenset({8})), FEED, DELETE, True),
        (Stream("direct"), FEED, UPDATE, False),
    ],
)
def test_a_stream_takes_its_events(stream: Stream, channel: str, event: LiveEvent, expected: bool) -> None:
    """By the channel, the tags of the photo, and its author."""
    assert stream.takes(channel, event) is expected


def test_an_event_has_a_form_for_each_transport() -> None:
    """On a WebSocket the payload is a text, and the stream is named with its parameter."""
    assert as_event(DELETE, Stream("user")) == b"event: delete\ndata: 1\n\n"
    frame = as_frame(UPDATE, Stream("hashtag", "sea"))
    message = orjson.loads(frame[frame.index(b"{") :])
    assert message == {"stream": ["hashtag", "sea"], "event": "update", "payload": '{"id":"1"}'}
