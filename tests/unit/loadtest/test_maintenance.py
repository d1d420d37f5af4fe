"""Periodic work while sockets are connected."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from loadtest.client.protocol import Connected
from loadtest.community.accounts import Account
from loadtest.community.rest import ApiResponse
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Audience
from loadtest.traffic.ledger import RequestOutcome
from loadtest.worker import maintenance
from loadtest.worker.maintenance import Maintenance
from tests.support.eventually import eventually

PATIENCE = 0.05


class FakeRest:
    """A REST API that renews tokens, and knows the state of every photo."""

    def __init__(self) -> None:
        self.renewals = 0
        self.state = "processing"

    async def request_with_retry(self, method: str, path: str, **request: Any) -> ApiResponse:
        """Respond to a request."""
        if path == "/tokens/refresh":
            self.renewals += 1
            assert request["json"] == {"refresh_token": f"r{self.renewals}"}
            await asyncio.sleep(0)
            more = self.renewals + 1
            return ApiResponse(
                status=201, body=b'{"access_token":"a%d","refresh_token":"r%d","expires_in":900}' % (more, more)
            )
        return ApiResponse(status=200, body=b'{"state":"%s"}' % self.state.encode())


class FakeSocket:
    """A socket that counts its calls."""

    def __init__(self) -> None:
        self.refreshed = 0
        self.looked = 0

    def refresh(self) -> None:
        """Count the call."""
        self.refreshed += 1

    def check_timeout(self, now: float) -> None:
        """Count the call."""
        self.looked += 1


class FakeUploads:
    """Uploads that are being processed, or not."""

    def __init__(self) -> None:
        self.waiting = True
        self.asked = 0

    async def is_processing(self, act: object) -> bool:
        """Return the configured state."""
        self.asked += 1
        return self.waiting


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "INTERVAL", 0.01)


def audience_of(measures: Measures, sockets: int) -> Audience:
    """Return an audience of one account's sockets, all connected."""
    audience = Audience(measures, [0] * sockets, patience=PATIENCE)
    audience.sockets = [FakeSocket() for _ in range(sockets)]  # type: ignore[misc]
    for number in range(sockets):
        audience.connected(number, Connected(ping=25, ttl=900, recovered={}, missed=()), 0.01, again=False)
    return audience


async def test_tokens_are_renewed_before_they_expire_and_sent() -> None:
    """One renewal for an account, sent on each of its connections; the timeouts of all sockets are checked."""
    desk = FakeRest()
    account = Account(0, desk, token="a1", refresh_token="r1", renew_at=time.monotonic())  # type: ignore[arg-type]
    audience = audience_of(Measures(), 2)
    rounds = asyncio.create_task(Maintenance(audience, [account], None).run())
    sockets: list[Any] = list(audience.sockets)
    await eventually(lambda: all(socket.refreshed and socket.looked for socket in sockets))
    rounds.cancel()
    assert (desk.renewals, account.token, account.refresh_token) == (1, "a2", "r2")
    assert account.renew_at is not None
    assert 900 * 0.6 - 5 < account.renew_at - time.monotonic() <= 900 * 0.6


async def test_concurrent_renewals_are_one() -> None:
    """A refresh token is valid once: twenty sockets with an expired token must not use it twenty times."""
    desk = FakeRest()
    account = Account(0, desk, token="a1", refresh_token="r1")  # type: ignore[arg-type]
    await asyncio.gather(*(account.renew() for _ in range(20)))
    assert (desk.renewals, account.token) == (1, "a2")
    await Account(1, desk, token="a", refresh_token="").renew()  # type: ignore[arg-type]
    assert desk.renewals == 1


async def test_a_photo_that_is_being_processed_is_not_lost() -> None:
    """An undelivered photo is lost only once the service has finished processing it."""
    measures, photos = Measures(), FakeUploads()
    audience = audience_of(measures, 2)
    act = audience.ledger.begin("photo", "k", "feed", frozenset({0, 1}), time.monotonic(), lambda _: None)
    act.photo_id = "p1"
    audience.ledger.answered(act, RequestOutcome.DONE, time.monotonic())
    rounds = asyncio.create_task(Maintenance(audience, [], photos).run())  # type: ignore[arg-type]
    await eventually(lambda: photos.asked >= 5)
    assert measures.counts["lost photo"] == 0
    photos.waiting = False
    await eventually(lambda: measures.counts["lost photo"] == 2)
    rounds.cancel()
