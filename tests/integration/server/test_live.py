"""The application with live connections: who may connect, and what they may hear."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from channels.bus.envelope import control_body
from server.services import Services
from storage import ids
from storage.redis_client import Redis
from tests.support.api import Api
from tests.support.live_api import PATH, Socket, connected, running_live_api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


@pytest.fixture
async def api(services: Services, redis: Redis) -> AsyncIterator[Api]:
    """A running API that holds live connections, too."""
    async with running_live_api(services, redis) as running:
        yield running


async def test_a_websocket_from_a_foreign_origin_is_403(api: Api) -> None:
    """Another site's page gets no connection; our own and programs do."""
    for origin in ("https://attacker.example", "null", f"http://attacker.127.0.0.1:{api.port}"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await api.session.ws_connect(api.url + PATH, origin=origin)
        assert caught.value.status == 403
    await (await api.session.ws_connect(api.url + PATH, origin=api.url)).close()
    await (await api.session.ws_connect(api.url + PATH)).close()


async def test_streams_and_photos_of_others_are_error_103(api: Api) -> None:
    """Another person's stream, a draft, and a photo after a block cannot be subscribed to."""
    ann, bob = await api.person(), await api.person()
    draft, photo = await ann.upload(photograph()), await ann.upload(photograph())
    await api.finish(photo)
    socket = await connected(api, bob)
    for channel in (f"feed:{ann.id}", f"notifications:{ann.id}", f"photo:{draft['id']}"):
        assert (await socket.ask(subscribe={"channel": channel}))["error"]["code"] == 103, channel
    assert (await socket.ask(subscribe={"channel": "nonsense"}))["error"]["code"] == 102
    assert "subscribe" in await socket.ask(subscribe={"channel": f"photo:{photo['id']}"})
    # What the fan-out worker does after a block: both hear that the other is theirs no longer.
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    order = control_body(control="revoke", owner=ids.decode(ann.id))
    await api.services.publisher.to_users([ids.decode(bob.id)], order)
    ended = (await socket.until("push"))["push"]
    assert (ended["channel"], ended["unsubscribe"]["code"]) == (f"photo:{photo['id']}", 2000)
    assert (await socket.ask(subscribe={"channel": f"photo:{photo['id']}"}))["error"]["code"] == 103


async def test_signing_out_closes_the_live_connection(api: Api) -> None:
    """A session that ends takes its connections with it, and no others."""
    ann, bob = await api.person(), await api.person()
    hers, his = await connected(api, ann), await connected(api, bob)
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    assert 3500 <= await hers.closed() < 4000  # so that the client does not come back
    assert "subscribe" in await his.ask(subscribe={"channel": f"user:{bob.id}"})


async def test_a_used_ticket_is_refused(api: Api) -> None:
    """A ticket that somebody found in a log opens nothing."""
    ann = await api.person()
    ticket = (await ann.call("POST", "/live/token")).expect(201)["token"]
    first = Socket(await api.session.ws_connect(api.url + PATH))
    assert "connect" in await first.ask(connect={"token": ticket})
    second = Socket(await api.session.ws_connect(api.url + PATH))
    with pytest.raises(AssertionError, match="3500"):
        await second.ask(connect={"token": ticket})
