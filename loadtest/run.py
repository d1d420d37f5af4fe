"""A load test from its first look at the service to its outcome."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from loadtest.community.pictures import Pictures
from loadtest.community.token_file import write_tokens
from loadtest.errors import LoadTestError, StoppedError
from loadtest.machine import allow_files, choose_sources
from loadtest.measures.record import Phase, Record
from loadtest.plan import Plan, complete, shares
from loadtest.report.progress import Progress
from loadtest.report.summary import Summary, summarise
from loadtest.target import look_at, trust_for
from loadtest.worker_pool import Crew

STOP_PATIENCE = 10.0  # seconds in which a process that was stopped tells what it has
LEAVE_PATIENCE = 120.0  # seconds that the processes have to delete their accounts


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a load test; `failure` is what ended it early, `notice` what was not tidied up, if anything."""

    summary: Summary
    failure: LoadTestError | None
    notice: str


def check(plan: Plan) -> Plan:
    """Return the plan as this machine can carry it out; raise `LoadTestError` when it cannot."""
    plan = complete(plan)
    if plan.photo is not None:
        Pictures.of(plan.photo, "")
    allow_files(plan.sockets, plan.processes)
    host = urlsplit(plan.live[0]).hostname or ""
    sources = choose_sources(host, plan.sockets, len(plan.live), plan.sources)
    return replace(plan, sources=sources)


async def run(plan: Plan, progress: Progress) -> Outcome:
    """Carry a checked plan out; raise `LoadTestError` when nothing could be measured.

    The first SIGINT or SIGTERM ends it in good order with what was measured so far, the second at once.
    """
    await look_at(plan.url, trust_for(plan.ca, insecure=plan.insecure))
    started_at, record = datetime.now(UTC), Record(time.monotonic())
    crew = Crew(record.beat)
    async with _stopping(crew) as stop, progress.of(plan, record):
        try:
            failure = await _lead(crew, plan, record, stop)
            measured = record.phase is not Phase.PREPARE
            record.enter(Phase.LEAVE)
            notice = await _leave(crew, plan)
        finally:
            await crew.close()
    if failure is not None and not measured:
        raise failure
    return Outcome(summary=summarise(plan, record, started_at), failure=failure, notice=notice)


async def _lead(crew: Crew, plan: Plan, record: Record, stop: asyncio.Event) -> LoadTestError | None:
    """Let the crew do all steps up to the last; return what ended that early, other than a person."""
    try:
        await crew.start(shares(plan, run=secrets.token_hex(3), began=record.began))
        if stop.is_set():
            crew.do("stop")  # the signal may have come before they were there
        await _prepare(crew, plan, record)
        if stop.is_set():
            return StoppedError("Stopped before anything was measured.")
        for phase, step in ((Phase.CONNECT, "connect"), (Phase.ACT, "act")):
            record.enter(phase)
            crew.do(step)
            await crew.all_done(step)
            if stop.is_set():
                break
    except LoadTestError as error:
        crew.do("stop")
        return error
    return None


async def _prepare(crew: Crew, plan: Plan, record: Record) -> None:
    try:
        async with asyncio.timeout(plan.prepare_within):
            await crew.all_done("prepare")
    except TimeoutError:
        # Stopped, the processes tell how far they came and what they were waiting for.
        crew.do("stop")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_PATIENCE):
                await crew.all_done("prepare")
        done, steps = record.prepared
        raise LoadTestError(
            f"The preparation was not done within {plan.prepare_within:.0f} s: {done:,} of {steps:,} steps, "
            f"{record.notice or 'the service answers slowly'}. Take fewer --people, give --tokens, or wait longer with "
            "--prepare-within."
        ) from None


async def _leave(crew: Crew, plan: Plan) -> str:
    """Let the crew go, keep the people's tokens where that was asked for, and return what could not be tidied up."""
    answers = await crew.dismissed(within=LEAVE_PATIENCE + 15.0)
    if plan.keep is not None:
        write_tokens(plan.keep, [pair for answer in answers for pair in answer["tokens"]])
    return next((answer["notice"] for answer in answers if answer["notice"]), "")


@contextlib.asynccontextmanager
async def _stopping(crew: Crew) -> AsyncIterator[asyncio.Event]:
    """Stop the crew at the first signal; the event tells that there was one."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received() -> None:
        if stop.is_set():
            os._exit(128 + signal.SIGINT)  # the tester processes notice the end of their parent by themselves
        stop.set()
        crew.do("stop")

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, received)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
