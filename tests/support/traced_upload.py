"""An upload that a proxy has sampled, and the trace that it must leave."""

from __future__ import annotations

import secrets
from functools import partial

from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.pictures import encoded, halves

# Spans of every upload, whatever the broker. A photo is decoded by one worker and inserted into feeds by another.
SPANS = {
    "POST /api/v1/photos",
    "wait media",
    "job media",
    "wait fanout",
    "job fanout",
    "inserted",
    "published",
    "socket",
}


def tracing_settings(receiver: OtlpReceiver) -> dict[str, str]:
    """Return the settings of a service that traces what a proxy has sampled, and nothing else."""
    return {
        "PICSHARE_TRACING__ENDPOINT": receiver.url,
        "PICSHARE_TRACING__SAMPLE_RATIO": "0",
        "PICSHARE_TRACING__SERVICE_NAME": "under test",
        "PICSHARE_SERVER__TRUSTED_PROXIES": "127.0.0.1",
    }


async def upload_traced(author: ApiUser, fan: ApiUser) -> tuple[str, str]:
    """Upload a photo with a sampled `traceparent`, and one without; return the ids of the trace and of its parent.

    `fan` follows `author`. Both photos have reached the fan's live connection on return.
    """
    live = await fan.go_live()
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    for flag, width in (("00", 500), ("01", 510)):
        form = {"Traceparent": f"00-{trace}-{parent}-{flag}"}
        photo = await author.upload(encoded(halves(width, 400)), "Traced", headers=form)
        await eventually(partial(live.has_photo, photo["id"]), within=60)
    return trace, parent


def check_trace(receiver: OtlpReceiver, trace: str, parent: str, *, more: frozenset[str] = frozenset()) -> None:
    """Assert that the spans are one tree below `parent`, with those of `SPANS` and `more`, once for one upload."""
    spans = receiver.trace(trace)
    assert {span.name for span in spans} >= SPANS | more
    assert [span.name for span in spans].count("POST /api/v1/photos") == 1, "the request without the flag has spans"
    assert {span.parent for span in spans} <= {parent} | {span.id for span in spans}
    (root,) = [span for span in spans if span.parent == parent]
    assert root.name == "POST /api/v1/photos"
    assert all(span.nanoseconds >= 0 for span in spans)
    assert {span.service for span in receiver.spans} == {"under test"}
    assert {span.trace for span in receiver.spans} == {trace}
