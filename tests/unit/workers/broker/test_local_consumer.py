"""The connections of an embedded broker's consumer, and its pauses, in virtual time over a scripted PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, cast

from structlog.testing import capture_logs

from storage.errors import UnavailableError
from storage.postgres.database import Database
from tests.support.virtual_loop import run_virtually
from workers.broker.local import LocalBroker
from workers.broker.port import Message, Policy

LAST_ROW = {
    "id": 1,
    "event_id": uuid.uuid4(),
    "topic": "like.added",
    "key": "1",
    "body": b"",
    "headers": {},
    "attempts": 0,
    "more": False,
}
ROW = {**LAST_ROW, "more": True}
LOST = UnavailableError("database", "the connection is lost")


class ScriptedPostgres:
    """A database whose claims have the outcomes of a script, and then find nothing: a row, an error, or a long wait.

    The first connections for claims are not opened for the reasons in `refusals`: an error, or a long wait. With
    `loses_commits` every connection is lost when the end of a claim is committed.
    """

    def __init__(
        self,
        *claims: dict[str, Any] | Exception | asyncio.Event,
        refusals: Sequence[Exception | asyncio.Event] = (),
        loses_commits: bool = False,
    ) -> None:
        self._refusals = [*refusals]
        self._loses_commits = loses_commits
        self._script = [*claims]
        self.claims: list[tuple[float, int]] = []  # the time of each, and the connections that were open
        self.opened = 0
        self.open = 0
        self.forgotten = 0  # connections that nothing returned; the loop returns them when it is closed

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection; the listener's is counted like those for claims."""
        self.opened += 1
        self.open += 1
        try:
            yield self
        except GeneratorExit:
            self.forgotten += 1
            raise
        finally:
            self.open -= 1

    async def execute(self, statement: str, *_: object) -> str:
        """Refuse the first statement of a connection for claims, or a COMMIT, if the script says so."""
        if statement == "COMMIT" and self._loses_commits:
            raise LOST
        match self._refusals.pop(0) if statement.startswith("SET") and self._refusals else None:
            case asyncio.Event() as hanging:
                await hanging.wait()
            case Exception() as error:
                raise error
        return ""

    async def fetch(self, *_: object) -> Sequence[dict[str, Any]]:
        """Return the script's next outcome."""
        self.claims.append((asyncio.get_running_loop().time(), self.open))
        match self._script.pop(0) if self._script else None:
            case asyncio.Event() as hanging:
                await hanging.wait()
            case Exception() as error:
                raise error
            case dict(row):
                return [row]
        return []

    def is_closed(self) -> bool:
        """Return False."""
        return False

    def is_in_transaction(self) -> bool:
        """Return False."""
        return False

    def add_termination_listener(self, _ended: object) -> None:
        """Do nothing: the connection for notifications stays."""

    async def add_listener(self, *_: object) -> None:
        """Do nothing: there are no notifications."""

    remove_termination_listener = add_termination_listener
    remove_listener = add_listener


class Writer:
    """A database that records its consumers by queue."""

    def __init__(self) -> None:
        self.consumers: dict[str, Callable[[], None]] = {}

    @contextmanager
    def consumer(self, queue: str, wake: Callable[[], None]) -> Iterator[None]:
        """Register a consumer."""
        self.consumers[queue] = wake
        try:
            yield
        finally:
            del self.consumers[queue]


def consume(postgres: ScriptedPostgres, seconds: float, *, handled: float = 0.0, fails: bool = False) -> None:
    """Run a consumer for some seconds, whose handler takes `handled` seconds; then cancel it.

    A message that fails is due again after 0.3 seconds.
    """

    async def handler(_: Message) -> None:
        await asyncio.sleep(handled)
        if fails:
            raise ValueError("no luck")

    async def main() -> None:
        broker = LocalBroker(cast(Database, postgres))
        with suppress(TimeoutError):
            await asyncio.wait_for(broker.consume("notify", handler, Policy(concurrency=2, backoff=(0.3,))), seconds)

    run_virtually(main())


def test_failures_in_a_row_lengthen_the_pause() -> None:
    """The pause grows with each failed claim, and starts again after one that succeeds, with or without a message."""
    postgres = ScriptedPostgres(LOST, LOST, ROW, LOST, LOST, LOST)
    with capture_logs() as logs:
        consume(postgres, 10)
    failures = [entry["failures"] for entry in logs if entry["event"] == "outbox_claim_failed"]
    assert failures == [1, 2, 1, 2, 3]
    at = [time for time, _ in postgres.claims]
    pauses = [after - before for before, after in itertools.pairwise(at[:6])]
    for pause, full in zip(pauses, (0.1, 0.2, 0.0, 0.1, 0.2), strict=True):
        assert full / 2 <= pause <= full


def test_a_failed_claim_gives_up_the_idle_connections() -> None:
    """They are most likely lost, too: the next claim opens a new one."""
    postgres = ScriptedPostgres(ROW, ROW, LOST)
    consume(postgres, 0.9, handled=0.1)
    assert postgres.opened == 1 + 2 + 1
    assert (postgres.open, postgres.forgotten) == (0, 0)


def test_after_the_last_row_nothing_is_claimed_until_the_next_poll() -> None:
    """A second look would find nothing, and take another connection; while there are more rows it is taken at once."""
    for row, at_once in ((LAST_ROW, 1), (ROW, 2)):
        postgres = ScriptedPostgres(row)
        consume(postgres, 1.5)
        # One look more at the beginning, since rows may have been written before LISTEN.
        assert [time for time, _ in postgres.claims] == [0.0] * (at_once + 1) + [1.0]


def test_a_commit_of_the_same_process_is_followed_by_a_look() -> None:
    """The consumer is registered for its queue while it runs, and looks when it is called."""
    postgres, writer = ScriptedPostgres(), Writer()

    async def handler(_: Message) -> None:
        """Do nothing."""

    async def main() -> None:
        broker = LocalBroker(cast(Database, postgres), writer=cast(Database, writer))
        consuming = asyncio.create_task(broker.consume("notify", handler, Policy()))
        await asyncio.sleep(0.3)
        writer.consumers["notify"]()
        await asyncio.sleep(0.3)
        consuming.cancel()
        await asyncio.wait([consuming])
        assert writer.consumers == {}

    run_virtually(main())
    assert [time for time, _ in postgres.claims] == [0.0, 0.0, 0.3]


def test_a_cancelled_consumer_returns_its_connections() -> None:
    """A consumer that is cancelled while it claims, handles a message or waits returns every connection."""
    for claims in ([asyncio.Event()], [ROW, asyncio.Event()], [ROW], []):
        postgres = ScriptedPostgres(*claims)
        consume(postgres, 0.5, handled=5.0)
        assert postgres.opened > 1
        assert (postgres.open, postgres.forgotten) == (0, 0)


def test_a_connection_that_cannot_be_opened_is_tried_again() -> None:
    """The failures count like those of claims, and the message is handled once there is a connection."""
    postgres = ScriptedPostgres(ROW, refusals=[LOST, LOST])
    with capture_logs() as logs:
        consume(postgres, 10)
    assert [entry["failures"] for entry in logs if entry["event"] == "outbox_claim_failed"] == [1, 2]
    assert len(postgres.claims) > 1


def test_a_consumer_can_be_cancelled_while_it_opens_a_connection() -> None:
    """It ends without an error of its own."""
    postgres = ScriptedPostgres(refusals=[asyncio.Event()])
    consume(postgres, 0.5)
    assert (postgres.claims, postgres.open, postgres.forgotten) == ([], 0, 0)


def test_an_idle_consumer_keeps_one_connection() -> None:
    """After a second without messages one connection for claims is left of several, and it is used from then on."""
    postgres = ScriptedPostgres(ROW, ROW)
    consume(postgres, 10, handled=0.1)
    open_at = [count for _, count in postgres.claims]
    assert max(open_at) == 1 + 2
    assert open_at[-1] == 1 + 1
    assert postgres.opened == 1 + 2


def test_a_notified_consumer_keeps_its_connections() -> None:
    """They are closed after a second without a notification, such as that of a postponed message."""
    postgres = ScriptedPostgres(ROW, ROW)
    consume(postgres, 10, handled=0.1, fails=True)
    open_at = {round(time, 6): count for time, count in postgres.claims}
    assert open_at[0.1 + 0.3] == 1 + 2
    assert postgres.claims[-1][1] == 1 + 1


def test_a_postponed_message_is_looked_for_when_it_is_due() -> None:
    """No writer notifies of it; after a message that was handled, the next look is that of the poll."""
    for fails, next_look in ((True, 0.1 + 0.3), (False, 1.0)):
        postgres = ScriptedPostgres(ROW)
        consume(postgres, 1.1, handled=0.1, fails=fails)
        times = sorted({round(time, 6) for time, _ in postgres.claims})
        assert times[:2] == [0.0, next_look]


def test_a_connection_that_is_lost_with_a_message_is_not_used_again() -> None:
    """The message is delivered again by another connection."""
    postgres = ScriptedPostgres(ROW, ROW, loses_commits=True)
    with capture_logs() as logs:
        consume(postgres, 10, handled=0.1)
    assert [entry["event"] for entry in logs].count("job_not_finished") == 2
    assert postgres.opened == 1 + 2 + 1
    assert (postgres.open, postgres.forgotten) == (0, 0)
