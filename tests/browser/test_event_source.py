"""A browser's `EventSource` on `GET /live/sse`."""

from __future__ import annotations

from tests.browser.visitor import Site
from tests.support.eventually import eventually
from tests.support.tcp_proxy import TcpProxy

OPEN = """(ticket) => {
    window.ready = 0;
    window.source = new EventSource(`/live/sse?ticket=${ticket}`);
    window.source.addEventListener("ready", () => { window.ready += 1; });
}"""


async def test_an_event_source_with_a_ticket_reconnects(site: Site) -> None:
    """After each interruption the browser opens the stream again by itself, with the ticket in its URL."""
    account = await site.create_account()
    ticket = (await account.call("POST", "/live/token")).expect(201)["token"]
    async with TcpProxy.to(int(site.url.rsplit(":", 1)[1])) as proxy:
        visitor = await site.visitor(account, url=f"http://127.0.0.1:{proxy.port}")
        visitor.expect_error("ERR_")
        await visitor.open("/docs")
        await visitor.page.evaluate(OPEN, ticket)
        for count in (1, 2, 3):

            async def is_ready(count: int = count) -> bool:
                return bool(await visitor.page.evaluate("window.ready") == count)

            await eventually(is_ready)
            await proxy.cut()
        await visitor.page.evaluate("window.source.close()")
