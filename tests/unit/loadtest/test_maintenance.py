"""What is looked after while sockets are held."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from loadtest.client.protocol import Connected
from loadtest.community.accounts import Person
from loadtest.community.rest import Answer
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Crowd
from loadtest.traffic.ledger import Outcome
from loadtest.worker import maintenance as care
from loadtest.worker.maintenance import Care
from tests.support.eventually import eventually

PATIENCE = 0.05


class Desk:
    """A REST API that renews tokens, and knows the state of every photo."""

    def __init__(self) -> None:
        self.renewals = 0
        self.state = "processing"

    async def insist(self, method: str, path: str, **request: Any) -> Answer:
        """Answer a request."""
        if path == "/tokens/refresh":
            self.renewals += 1
            assert request["json"] == {"refresh_token": f"r{self.renewals}"}
            await asyncio.sleep(0)
            more = self.renewals + 1
            return Answer(
                status=201, body=b'{"access_token":"a%d","refresh_token":"r%d","expires_in":900}' % (more, more)
            )
        return Answer(status=200, body=b'{"state":"%s"}' % self.state.encode())


class Socket:
    """A socket that only notes what it is told."""

    def __init__(self) -> None:
        self.refreshed = 0
        self.looked = 0

    def refresh(self) -> None:
        """Note it."""
        self.refreshed += 1

    def look(self, now: float) -> None:
        """Note it."""
        self.looked += 1


class Photos:
    """Uploads that are still being worked on, or not."""

    def __init__(self) -> None:
        self.waiting = True
        self.asked = 0

    async def waits(self, act: object) -> bool:
        """Tell."""
        self.asked += 1
        return self.waiting


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(care, "INTERVAL", 0.01)


def crowd_of(measures: Measures, sockets: int) -> Crowd:
    """Return a crowd of one person's sockets, all connected."""
    crowd = Crowd(measures, [0] * sockets, patience=PATIENCE)
    crowd.sockets = [Socket() for _ in range(sockets)]  # type: ignore[misc]
    for number in range(sockets):
        crowd.connected(number, Connected(ping=25, ttl=900, recovered={}, missed=()), 0.01, again=False)
    return crowd


async def test_tokens_are_renewed_before_they_end_and_told() -> None:
    """Once for a person, then to each of their connections; and all sockets are looked at."""
    desk = Desk()
    person = Person(0, desk, token="a1", refresh_token="r1", renew_at=time.monotonic())  # type: ignore[arg-type]
    crowd = crowd_of(Measures(), 2)
    rounds = asyncio.create_task(Care(crowd, [person], None).run())
    sockets: list[Any] = list(crowd.sockets)
    await eventually(lambda: all(socket.refreshed and socket.looked for socket in sockets))
    rounds.cancel()
    assert (desk.renewals, person.token, person.refresh_token) == (1, "a2", "r2")
    assert person.renew_at is not None
    assert 900 * 0.6 - 5 < person.renew_at - time.monotonic() <= 900 * 0.6


async def test_who_renews_at_the_same_time_renews_once() -> None:
    """A refresh token is good once: twenty sockets with an expired token must not use it twenty times."""
    desk = Desk()
    person = Person(0, desk, token="a1", refresh_token="r1")  # type: ignore[arg-type]
    await asyncio.gather(*(person.renew() for _ in range(20)))
    assert (desk.renewals, person.token) == (1, "a2")
    await Person(1, desk, token="a", refresh_token="").renew()  # type: ignore[arg-type]
    assert desk.renewals == 1


async def test_a_photo_that_is_being_processed_is_not_lost() -> None:
    """What nobody heard of is asked about: it is lost only once the service says that it is done with it."""
    measures, photos = Measures(), Photos()
    crowd = crowd_of(measures, 2)
    act = crowd.ledger.begin("photo", "k", "feed", frozenset({0, 1}), time.monotonic(), lambda _: None)
    act.photo_id = "p1"
    crowd.ledger.answered(act, Outcome.DONE, time.monotonic())
    rounds = asyncio.create_task(Care(crowd, [], photos).run())  # type: ignore[arg-type]
    await eventually(lambda: photos.asked >= 5)
    assert measures.counts["lost photo"] == 0
    photos.waiting = False
    await eventually(lambda: measures.counts["lost photo"] == 2)
    rounds.cancel()
