"""Positions of live streams in list responses: a client that recovers from there misses nothing."""

from __future__ import annotations

import pytest

from storage import ids
from tests.support.api import Api
from tests.support.inboxes import counters_json
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


async def test_the_position_of_the_feed(api: Api) -> None:
    """The first page has the position up to which it shows the stream; later pages have none."""
    ann = await api.user()
    viewer, feeds = ids.decode(ann.id), api.services.stores.feeds
    for _ in range(2):
        await api.finish(await ann.upload(photograph()))
    page = (await ann.call("GET", "/feed?limit=1")).expect(200)
    epoch, offset = await feeds.position(viewer)
    assert page["stream"] == {"epoch": epoch, "offset": offset}
    assert (await ann.call("GET", f"/feed?limit=1&cursor={page['next']}")).expect(200)["stream"] is None

    later = await ann.upload(photograph())
    await api.finish(later)
    await feeds.insert(ids.decode(later["id"]), [viewer], b"body")
    missed = await feeds.since(viewer, **page["stream"])
    assert missed is not None
    assert [ids.encode(entry.id) for entry in missed.entries] == [later["id"]]
    again = (await ann.call("GET", "/feed?limit=1")).expect(200)["stream"]
    assert (await feeds.since(viewer, **again)) == await feeds.since(viewer, *missed.position)


async def test_the_position_of_the_inbox(api: Api) -> None:
    """The first page has the position of the stream from before the list was read."""
    ann = await api.user()
    viewer, log = ids.decode(ann.id), api.services.notification_log
    page = (await ann.call("GET", "/notifications")).expect(200)
    epoch, offset = await log.position(viewer)
    stream = {"epoch": epoch, "offset": offset}
    assert page == {"items": [], "next": None, "stream": stream, "counters": counters_json()}
    await log.push(viewer, 7, b"body")
    missed = await log.since(viewer, **page["stream"])
    assert missed is not None
    assert [entry.id for entry in missed.entries] == [7]
