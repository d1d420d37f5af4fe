"""Requests for each second of processor time: two serving processes on one port against one.

One process and both of two run on the same one core, and the client and the engines on the others: what two processes
cost more is then seen on a machine of two cores, too. With a core for each, two processes serve twice the requests of
one times this ratio. A process that waits for requests needs more time for each, because it finds fewer of them in a
turn of its event loop, so the figures are only of use where the client keeps that core busy.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import psutil

from bench.api_process import api_engines, serving
from bench.cores import assign_cores
from bench.http_load import request_rate
from bench.report import COUNT, RATIO, Figure, figure, ratios
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.service import Service

GROUP = "GET /users/me by serving processes on one port"
CONNECTIONS = 16  # for each process, or one of two would have less to do in each turn of its event loop
PATH = "/api/v1/users/me"


@dataclass(frozen=True, kw_only=True)
class _Load:
    """What one run has shown: requests, seconds of processor time of each process, and seconds of the clock."""

    requests: float
    processor: Sequence[float]
    seconds: float

    @property
    def per_core(self) -> float:
        """Return the requests for each second of processor time."""
        return self.requests / sum(self.processor)


async def measure(*, quick: bool) -> list[Figure]:
    """Return the requests a core and second of one process and of two, and their ratio."""
    runs, seconds = (3, 2.0) if quick else (9, 5.0)
    limits = {"PICSHARE_LIMITS__READS": "100000000/m"}
    cores = assign_cores(os.sched_getaffinity(0))
    core = cores.on_server_core([])
    cores.use_other_cores()
    async with (
        api_engines() as (folder, env),
        serving(folder, {**env, **limits}, wrapper=core) as one,
        serving(folder, {**env, **limits}, "--workers", "2", wrapper=core) as two,
        aiohttp.ClientSession() as session,
    ):
        await eventually(lambda: _both_started(session, two), within=60)
        token = (await ApiUser.sign_up(session, one.url)).token
        singles, pairs = [], []
        for _ in range(runs):
            singles.append(await _load(one, token, seconds, 1))
            pairs.append(await _load(two, token, seconds, 2))
    return [
        figure(GROUP, "one process", "requests/core s", [load.per_core for load in singles]),
        figure(GROUP, "two processes", "requests/core s", [load.per_core for load in pairs]),
        figure(
            GROUP,
            "two against one",
            RATIO,
            ratios([load.per_core for load in pairs], [load.per_core for load in singles]),
            at_least=0.9,
            limit="the same work by twice the processes",
        ),
        figure(
            GROUP,
            "share of the busier of two",
            COUNT,
            [max(load.processor) / sum(load.processor) for load in pairs],
            at_most=0.65,
            limit="half of the work, and chance where 32 connections are accepted",
        ),
        figure(GROUP, "one process, with the client", "requests/s", [load.requests / load.seconds for load in singles]),
        figure(GROUP, "two processes, with the client", "requests/s", [load.requests / load.seconds for load in pairs]),
    ]


async def _both_started(session: aiohttp.ClientSession, service: Service) -> bool:
    async with session.get(f"{service.url}/metrics") as response:
        return "picshare_serving_processes 2.0" in await response.text()


def _processes(service: Service) -> list[psutil.Process]:
    parent = psutil.Process(service.pid)
    return [parent, *parent.children()]


async def _load(service: Service, token: str, seconds: float, number: int) -> _Load:
    processes = _processes(service)
    before = [_processor_seconds(process) for process in processes]
    rate = await asyncio.to_thread(
        request_rate,
        int(service.url.rpartition(":")[2]),
        PATH,
        token,
        connections=number * CONNECTIONS,
        seconds=seconds,
    )
    used = [_processor_seconds(process) - start for process, start in zip(processes, before, strict=True)]
    return _Load(requests=rate * seconds, processor=used, seconds=seconds)


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
