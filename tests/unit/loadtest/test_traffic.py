"""Acts: their pace, and likes that are given and taken back one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from loadtest.client.frames import liked, unliked
from loadtest.client.protocol import Connected
from loadtest.community.accounts import Person
from loadtest.community.rest import Answer, NoAnswerError
from loadtest.measures.measures import Measures
from loadtest.traffic import pace as pacing
from loadtest.traffic.audience import Crowd
from loadtest.traffic.likes import Likes
from loadtest.traffic.pace import keep_acting
from tests.support.eventually import eventually

PATIENCE = 10.0  # seconds that never pass here


class ScriptedRest:
    """Answer each request with the next of `answers`, 200 when there is none; None is no answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answers: list[Answer | None] = []

    async def ask(self, method: str, path: str, *, token: str = "", name: str = "") -> Answer:
        """Note the request."""
        self.asked.append((method, path, token))
        answer = self.answers.pop(0) if self.answers else Answer(status=200, body=b"{}")
        if answer is None:
            raise NoAnswerError("no answer in time")
        return answer


class Stage:
    """Three people with a socket each; the first one's photo is liked."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.rest = ScriptedRest()
        people = [
            Person(number, self.rest, id=f"u{number}", token=f"t{number}", photo_id="p0")  # type: ignore[arg-type]
            for number in range(3)
        ]
        self.crowd = Crowd(self.measures, [0, 1, 2], patience=PATIENCE)
        for number in range(3):
            result = Connected(ping=25, ttl=900, recovered={}, missed=())
            self.crowd.connected(number, result, 0.01, again=False)
        self.waiting: list[tuple[float, Callable[[], None]]] = []
        self.likes = Likes(
            people, [0], self.crowd, self.measures, patience=PATIENCE, later=lambda *wait: self.waiting.append(wait)
        )

    def hears(self, key: str, entry: str = "") -> None:
        """Let the owner's socket hear of something."""
        self.crowd.ledger.heard(0, key, entry, time.monotonic())

    def pass_time(self, seconds: float) -> None:
        """Let the one thing happen that was to happen after so many seconds."""
        ((after, happen),) = self.waiting
        assert after == seconds
        self.waiting.clear()
        happen()

    def count(self, name: str) -> int:
        """Return a count of likes."""
        return self.measures.counts[f"{name} like"]


async def test_likes_are_given_and_taken_back_in_turn() -> None:
    """Person 1 likes, the owner hears, it is taken back, the owner hears, then person 2; the owner never likes."""
    stage = Stage()
    for liker in (1, 2, 1):
        await stage.likes.act()
        assert stage.rest.asked[-1] == ("PUT", "/photos/p0/like", f"t{liker}")
        stage.hears(liked("p0", f"u{liker}"), "n1")
        await stage.likes.act()
        assert stage.rest.asked[-1] == ("DELETE", "/photos/p0/like", f"t{liker}")
        stage.hears(unliked("n1"))
    assert (stage.count("expected"), stage.count("delivered"), stage.count("duplicate")) == (6, 6, 0)


async def test_a_photo_waits_until_its_owner_has_heard() -> None:
    """With every photo's like under way an act is held back, and counted as that."""
    stage = Stage()
    await stage.likes.act()
    await stage.likes.act()
    assert len(stage.rest.asked) == 1
    assert stage.count("held back") == 1


async def test_the_end_of_a_like_that_nobody_was_told_of_is_owed_to_nobody() -> None:
    """Where the like was lost, there is no notification whose end could be told."""
    stage = Stage()
    await stage.likes.act()
    stage.crowd.ledger.gap(0, "notifications", time.monotonic())
    await stage.likes.act()
    assert stage.rest.asked[-1][0] == "DELETE"
    assert stage.count("expected") == 1
    await stage.likes.act()
    assert stage.rest.asked[-1] == ("PUT", "/photos/p0/like", "t2")


async def test_a_refused_like_rests_as_long_as_the_server_says() -> None:
    """After a 429 nothing is owed, and the photo is left alone for `Retry-After`."""
    stage = Stage()
    stage.rest.answers = [Answer(status=429, body=b"", limit="likes", retry_after=7.0)]
    await stage.likes.act()
    await stage.likes.act()
    assert (stage.count("refused"), stage.count("expected"), stage.count("held back")) == (1, 0, 1)
    stage.pass_time(7.0)
    await stage.likes.act()
    assert [method for method, _, _ in stage.rest.asked] == ["PUT", "PUT"]


async def test_what_was_not_answered_is_cleared_before_it_counts_again() -> None:
    """It may have happened: it is taken back without being owed to anybody, and the news of it is let pass."""
    stage = Stage()
    stage.rest.answers = [None]
    await stage.likes.act()
    assert (stage.count("unanswered"), stage.count("expected")) == (1, 0)
    stage.pass_time(PATIENCE)
    await stage.likes.act()
    assert stage.rest.asked[1] == ("DELETE", "/photos/p0/like", "t1")
    await stage.likes.act()
    assert (len(stage.rest.asked), stage.count("expected"), stage.count("held back")) == (2, 0, 1)
    stage.pass_time(PATIENCE)
    await stage.likes.act()
    assert stage.rest.asked[2] == ("PUT", "/photos/p0/like", "t2")
    assert stage.count("expected") == 1


async def test_acts_begin_at_their_pace_whether_or_not_they_end() -> None:
    """Acts that never end do not hold the next ones up, until there are too many of them."""
    stop, never = asyncio.Event(), asyncio.Event()
    begun, held = [], []
    start = time.monotonic()

    async def act() -> None:
        begun.append(time.monotonic() - start)
        await never.wait()

    work = asyncio.create_task(keep_acting(500.0, stop, act, lambda: held.append(1)))
    await eventually(lambda: len(begun) >= 20)
    assert all(moment >= number / 500 for number, moment in enumerate(begun))
    stop.set()
    await asyncio.sleep(0)
    assert not work.done()
    never.set()
    await work
    assert held == []


async def test_too_many_acts_at_once_are_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that answers nothing does not fill the memory."""
    monkeypatch.setattr(pacing, "MOST_AT_ONCE", 3)
    stop, never = asyncio.Event(), asyncio.Event()
    begun, held = [], []

    async def act() -> None:
        begun.append(1)
        await never.wait()

    work = asyncio.create_task(keep_acting(1000.0, stop, act, lambda: held.append(1)))
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
        await keep_acting(1000.0, asyncio.Event(), act, lambda: None)
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)
