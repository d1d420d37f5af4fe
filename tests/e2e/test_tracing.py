"""One trace leads from the request over the outbox, RabbitMQ, the workers and Redis to the socket.

tests/e2e/test_watching.py shows the same with the embedded broker.
"""

from __future__ import annotations

import aiohttp
import pytest

from tests.engines.rabbitmq import delete_queues
from tests.support.api_user import ApiUser
from tests.support.otlp_receiver import otlp_receiver
from tests.support.run import Run
from tests.support.traced_upload import check_trace, tracing_settings, upload_traced

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]


async def test_a_trace_over_rabbitmq(run: Run, rabbitmq_url: str) -> None:
    """The relay and each worker continue the trace of the request; without the flag there is no span."""
    await delete_queues(rabbitmq_url, "")
    async with (
        otlp_receiver() as receiver,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http,
    ):
        service = run.service("--no-demo", env={**tracing_settings(receiver), "PICSHARE_BROKER__URL": rabbitmq_url})
        await service.start()
        author, fan = await ApiUser.sign_up(http, run.url), await ApiUser.sign_up(http, run.url)
        await fan.follow(author)
        trace, parent = await upload_traced(author, fan)
        await fan.leave()
        await service.stop()
        await delete_queues(rabbitmq_url, "")
        check_trace(receiver, trace, parent, more=frozenset({"relay"}))
