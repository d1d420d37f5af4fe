"""Acts: their rate, and likes that are added and removed one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from loadtest.client.frames import liked, unliked
from loadtest.client.protocol import Connected
from loadtest.community.accounts import Account
from loadtest.community.rest import ApiResponse, NoResponseError
from loadtest.measures.measures import Measures
from loadtest.traffic import pace as pacing
from loadtest.traffic.audience import Audience
from loadtest.traffic.likes import LikeTraffic
from loadtest.traffic.pace import act_at_rate
from tests.support.eventually import eventually
from tests.support.virtual_loop import turns

PATIENCE = 10.0  # seconds that never pass here


class ScriptedRest:
    """Sends the next of `responses` for each request, 200 if there is none; None is a missing response."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.responses: list[ApiResponse | None] = []

    async def request(self, method: str, path: str, *, token: str = "", name: str = "") -> ApiResponse:
        """Record the request."""
        self.asked.append((method, path, token))
        response = self.responses.pop(0) if self.responses else ApiResponse(status=200, body=b"{}")
        if response is None:
            raise NoResponseError("timed out")
        return response


class LikesCase:
    """Three users with a socket each; the first one's photo is liked."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.rest = ScriptedRest()
        users = [
            Account(number, self.rest, id=f"u{number}", token=f"t{number}", photo_id="p0")  # type: ignore[arg-type]
            for number in range(3)
        ]
        self.audience = Audience(self.measures, [0, 1, 2], patience=PATIENCE)
        for number in range(3):
            result = Connected(ping=25, ttl=900, recovered={}, missed=())
            self.audience.connected(number, result, 0.01, again=False)
        self.waiting: list[tuple[float, Callable[[], None]]] = []
        self.likes = LikeTraffic(
            users, [0], self.audience, self.measures, patience=PATIENCE, later=lambda *wait: self.waiting.append(wait)
        )

    def deliver(self, key: str, entry: str = "") -> None:
        """Deliver a publication to the owner's socket."""
        self.audience.ledger.received(0, key, entry, time.monotonic())

    def pass_time(self, seconds: float) -> None:
        """Run the one scheduled function, which must be due after so many seconds."""
        ((after, happen),) = self.waiting
        assert after == seconds
        self.waiting.clear()
        happen()

    def count(self, name: str) -> int:
        """Return a count of likes."""
        return self.measures.counts[f"{name} like"]


async def test_likes_are_added_and_removed_in_turn() -> None:
    """User 1 likes, the owner receives it, the like is removed, the owner receives that, then user 2."""
    case = LikesCase()
    for liker in (1, 2, 1):
        await case.likes.act()
        assert case.rest.asked[-1] == ("PUT", "/photos/p0/like", f"t{liker}")
        case.deliver(liked("p0", f"u{liker}"), "n1")
        await case.likes.act()
        assert case.rest.asked[-1] == ("DELETE", "/photos/p0/like", f"t{liker}")
        case.deliver(unliked("n1"))
    assert (case.count("expected"), case.count("delivered"), case.count("duplicate")) == (6, 6, 0)


async def test_a_photo_waits_until_its_owner_has_received_the_act() -> None:
    """While every photo has a like in progress, an act is held back and counted as that."""
    case = LikesCase()
    await case.likes.act()
    await case.likes.act()
    assert len(case.rest.asked) == 1
    assert case.count("held back") == 1


async def test_the_removal_of_an_undelivered_like_owes_nothing() -> None:
    """If the like was lost, there is no notification whose removal could be delivered."""
    case = LikesCase()
    await case.likes.act()
    case.audience.ledger.gap(0, "notifications", time.monotonic())
    await case.likes.act()
    assert case.rest.asked[-1][0] == "DELETE"
    assert case.count("expected") == 1
    await case.likes.act()
    assert case.rest.asked[-1] == ("PUT", "/photos/p0/like", "t2")


async def test_a_refused_like_waits_for_retry_after() -> None:
    """After a 429 nothing is owed, and the photo is left alone for `Retry-After`."""
    case = LikesCase()
    case.rest.responses = [ApiResponse(status=429, body=b"", limit="likes", retry_after=7.0)]
    await case.likes.act()
    await case.likes.act()
    assert (case.count("refused"), case.count("expected"), case.count("held back")) == (1, 0, 1)
    case.pass_time(7.0)
    await case.likes.act()
    assert [method for method, _, _ in case.rest.asked] == ["PUT", "PUT"]


async def test_a_like_without_a_response_is_removed_first() -> None:
    """It may have had an effect: it is removed without owing a delivery, and its publications are waited out."""
    case = LikesCase()
    case.rest.responses = [None]
    await case.likes.act()
    assert (case.count("unanswered"), case.count("expected")) == (1, 0)
    case.pass_time(PATIENCE)
    await case.likes.act()
    assert case.rest.asked[1] == ("DELETE", "/photos/p0/like", "t1")
    await case.likes.act()
    assert (len(case.rest.asked), case.count("expected"), case.count("held back")) == (2, 0, 1)
    case.pass_time(PATIENCE)
    await case.likes.act()
    assert case.rest.asked[2] == ("PUT", "/photos/p0/like", "t2")
    assert case.count("expected") == 1


async def test_acts_begin_at_their_rate_whether_or_not_earlier_ones_end() -> None:
    """Acts that never end do not delay the next ones, until there are too many of them."""
    stop, never = asyncio.Event(), asyncio.Event()
    begun, held = [], []
    start = time.monotonic()

    async def act() -> None:
        begun.append(time.monotonic() - start)
        await never.wait()

    work = asyncio.create_task(act_at_rate(500.0, stop, act, lambda: held.append(1)))
    await eventually(lambda: len(begun) >= 20)
    assert all(moment >= number / 500 for number, moment in enumerate(begun))
    stop.set()
    await turns(5)
    assert not work.done()
    never.set()
    await work
    assert held == []


async def test_too_many_acts_at_once_are_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that never responds does not fill the memory."""
    monkeypatch.setattr(pacing, "MAX_CONCURRENT", 3)
    stop, never = asyncio.Event(), asyncio.Event()
    begun, held = [], []

    async def act() -> None:
        begun.append(1)
        await never.wait()

    work = asyncio.create_task(act_at_rate(1000.0, stop, act, lambda: held.append(1)))
    await eventually(lambda: len(held) >= 5)
    assert len(begun) == 3
    stop.set()
    never.set()
    await work


async def test_an_error_in_an_act_ends_the_load() -> None:
    """A defect of the tester is not swallowed."""

    async def act() -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await act_at_rate(1000.0, asyncio.Event(), act, lambda: None)
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)
