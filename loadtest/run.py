"""A load test from the first request to its result."""

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
from loadtest.target import check_target, tls_context
from loadtest.worker_pool import WorkerPool

STOP_TIMEOUT = 10.0  # seconds in which a stopped process reports what it has
CLEANUP_TIMEOUT = 135.0  # seconds for the last step, which deletes the accounts; a worker itself gives up before


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Result of a load test; `failure` ended it early, and `notice` says what could not be cleaned up, if anything."""

    summary: Summary
    failure: LoadTestError | None
    notice: str


def check(plan: Plan) -> Plan:
    """Return the plan adapted to this machine; raise `LoadTestError` if the machine cannot run it."""
    plan = complete(plan)
    if plan.photo is not None:
        Pictures.read(plan.photo, "")
    allow_files(plan.sockets, plan.processes)
    host = urlsplit(plan.live[0]).hostname or ""
    sources = choose_sources(host, plan.sockets, len(plan.live), plan.sources)
    return replace(plan, sources=sources)


async def run(plan: Plan, progress: Progress) -> RunResult:
    """Run a checked plan; raise `LoadTestError` if nothing could be measured.

    The first SIGINT or SIGTERM ends the test in an orderly way with what was measured so far, the second at once.
    """
    await check_target(plan.url, tls_context(plan.ca, insecure=plan.insecure))
    started_at, record = datetime.now(UTC), Record(time.monotonic())
    pool = WorkerPool(record.add_report)
    async with _stop_on_signal(pool) as stop, progress.of(plan, record):
        try:
            failure = await _run_steps(pool, plan, record, stop)
            measured = record.phase is not Phase.PREPARE
            record.enter(Phase.LEAVE)
            notice = await _clean_up(pool, plan)
        finally:
            await pool.close()
    if failure is not None and not measured:
        raise failure
    return RunResult(summary=summarise(plan, record, started_at), failure=failure, notice=notice)


async def _run_steps(pool: WorkerPool, plan: Plan, record: Record, stop: asyncio.Event) -> LoadTestError | None:
    """Run all steps up to the last one; return the error that ended them early, if there was one."""
    try:
        await pool.start(shares(plan, run=secrets.token_hex(3), began=record.began))
        if stop.is_set():
            pool.run_step("stop")  # the signal may have arrived before the processes were started
        await _prepare(pool, plan, record)
        if stop.is_set():
            return StoppedError("Stopped before anything was measured.")
        for phase, step in ((Phase.CONNECT, "connect"), (Phase.ACT, "act")):
            record.enter(phase)
            pool.run_step(step)
            await pool.wait_for_all(step)
            if stop.is_set():
                break
    except LoadTestError as error:
        pool.run_step("stop")
        return error
    return None


async def _prepare(pool: WorkerPool, plan: Plan, record: Record) -> None:
    try:
        async with asyncio.timeout(plan.prepare_within):
            await pool.wait_for_all("prepare")
    except TimeoutError:
        # Once stopped, the processes report how far they came and what they were waiting for.
        pool.run_step("stop")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await pool.wait_for_all("prepare")
        done, steps = record.prepared
        raise LoadTestError(
            f"The preparation did not finish within {plan.prepare_within:.0f} s: {done:,} of {steps:,} steps, "
            f"{record.notice or 'the service responds slowly'}. Use fewer --users, pass --tokens, or wait longer with "
            "--prepare-within."
        ) from None


async def _clean_up(pool: WorkerPool, plan: Plan) -> str:
    """Run the last step, write the tokens if the accounts are kept, and return what could not be cleaned up."""
    replies = await pool.finish(within=CLEANUP_TIMEOUT)
    if plan.keep is not None:
        write_tokens(plan.keep, [pair for reply in replies for pair in reply["tokens"]])
    return next((reply["notice"] for reply in replies if reply["notice"]), "")


@contextlib.asynccontextmanager
async def _stop_on_signal(pool: WorkerPool) -> AsyncIterator[asyncio.Event]:
    """Stop the processes at the first signal, which sets the event; exit at the second one."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received() -> None:
        if stop.is_set():
            os._exit(128 + signal.SIGINT)  # the tester processes end by themselves when their input is closed
        stop.set()
        pool.run_step("stop")

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, received)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
