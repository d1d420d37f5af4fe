"""Payloads: every type has a model, whose schema allows what later versions add."""

from __future__ import annotations

import re

import pytest

from storage.models import PhotoAudience
from storage.webhooks import PING
from workers.registry import WORKERS
from workers.webhooks.payloads import (
    EVENT_TYPES,
    MAX_BYTES,
    PAYLOADS,
    CommentAddedData,
    EventAccount,
    EventAuthor,
    PhotoReadyData,
    PhotoRejectedData,
    PingData,
    encode,
)

ID, TIME = "01K3S9C0XG4Q7", "2026-11-20T12:00:00.000Z"
WIDE = "\N{GRINNING FACE}"


def test_the_types_are_those_of_the_worker_and_a_ping() -> None:
    """Each is an event that the queue delivers, under a valid name; an imported photo is a ready one."""
    (topics,) = [spec.topics for spec in WORKERS if spec.name == "webhooks"]
    # Photos of each kind are uploaded, and what is held is ready for a service that decides about it.
    assert set(EVENT_TYPES) == set(topics) - {
        "webhook.noticed",
        "photo.deferred",
        "video.uploaded",
        "photo.held",
        "photo.imported",
    }
    assert set(PAYLOADS) == {*EVENT_TYPES, PING}
    assert all(re.fullmatch(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)+", kind) for kind in PAYLOADS)


@pytest.mark.parametrize("kind", sorted(PAYLOADS))
def test_schemas_name_their_type_and_allow_more_fields(kind: str) -> None:
    """A receiver that validates by the schema accepts the messages of later versions."""
    schema = PAYLOADS[kind].model_json_schema()
    assert schema["properties"]["type"]["const"] == kind
    assert set(schema["required"]) == {"type", "timestamp", "data"}
    assert "additionalProperties" not in str(schema)
    assert schema["description"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (
            "photo.ready",
            PhotoReadyData(
                photo_id=ID,
                author=EventAuthor(id=ID, username="x" * 30),
                audience=PhotoAudience.CLOSE_FRIENDS,
                width=99_999,
                height=99_999,
                url="https://" + "x" * 300,
            ),
        ),
        (
            "photo.rejected",
            PhotoRejectedData(photo_id=ID, author=EventAccount(id=ID, username="x" * 30), reason="x" * 300),
        ),
        (
            "comment.added",
            CommentAddedData(
                comment_id=ID,
                photo_id=ID,
                owner_id=ID,
                user=EventAccount(id=ID, username="x" * 30),
                reply_to=ID,
                excerpt=WIDE * 140,
            ),
        ),
    ],
)
def test_the_longest_payloads_are_small(kind: str, data: PhotoReadyData) -> None:
    """However long the texts of users are."""
    assert len(encode(kind, TIME, data)) <= MAX_BYTES


def test_data_of_another_type_are_refused() -> None:
    """A defect must not reach receivers."""
    with pytest.raises(ValueError, match="LikeAddedData"):
        encode("like.added", TIME, PingData(endpoint_id=ID, challenge="c"))
