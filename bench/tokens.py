"""Processor time of the API for tokens: a refresh at `/oauth/token`, and a request with an opaque token.

The yardsticks do the same for the web application: the refresh of a session, and a request with its signed token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bench.api_process import api_engines, serving
from bench.edge import process_seconds
from bench.http_load import request_rate
from bench.report import RATIO, Figure, figure, ratios
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.oauth import answer, exchange_at, parameters_of, query_of, register

GROUP = "tokens, processor time of the API"
PATH = "/api/v1/notifications/counters"
CONNECTIONS = 16
LIMITS = {"PICSHARE_LIMITS__OAUTH_ADDRESS": "100000000/m", "PICSHARE_LIMITS__READS": "100000000/m"}


async def measure(*, quick: bool) -> list[Figure]:
    """Return the microseconds of each refresh and of each request, and the ratios."""
    runs, refreshes, seconds = (3, 50, 0.5) if quick else (9, 200, 2.0)
    took: dict[str, list[float]] = {name: [] for name in ("application", "session", "opaque", "signed")}
    async with api_engines() as (folder, env), serving(folder, {**env, **LIMITS}) as api:
        assert api.process is not None
        async with aiohttp.ClientSession() as http:
            user, pid = ApiUser(http, api.url, "ann"), api.process.pid
            port = urlsplit(api.url).port or 80
            session = await _signed_up(user)
            application = await register(user, refreshes=True)
            approved = (await answer(user, query_of(application))).expect(201)
            tokens = await exchange_at(api.url, application, parameters_of(approved["redirect_to"])["code"])
            refresh = _of_application(http, api.url, application, tokens)
            renew = _of_session(user, session)
            for _ in range(runs + 1):
                took["application"].append(await _microseconds(pid, refresh, refreshes))
                took["session"].append(await _microseconds(pid, renew, refreshes))
                for name, token in (("opaque", tokens["access_token"]), ("signed", session["access_token"])):
                    before = process_seconds(pid)
                    rate = request_rate(port, PATH, token, connections=CONNECTIONS, seconds=seconds)
                    took[name].append((process_seconds(pid) - before) / (rate * seconds) * 1e6)
    # The first run fills caches.
    measured = {name: values[1:] for name, values in took.items()}
    return [
        figure(GROUP, "refresh by an application", "µs", measured["application"]),
        figure(GROUP, "refresh of a session", "µs", measured["session"]),
        figure(
            GROUP,
            "ratio of the refreshes",
            RATIO,
            ratios(measured["application"], measured["session"]),
            at_most=1.5,
            limit="the refresh of a session, without the authentication of an application",
        ),
        figure(GROUP, "request with an opaque token", "µs", measured["opaque"]),
        figure(GROUP, "request with a signed token", "µs", measured["signed"]),
        figure(
            GROUP,
            "ratio of the requests",
            RATIO,
            ratios(measured["opaque"], measured["signed"]),
            at_most=1.2,
            limit="a token whose signature is checked without a look-up",
        ),
    ]


async def _signed_up(user: ApiUser) -> dict[str, Any]:
    body = {"username": user.name, "email": f"{user.name}@picshare.example", "password": PASSWORD}
    session: dict[str, Any] = (await user.call("POST", "/users", json=body)).expect(201)
    user.token, user.id = session["access_token"], session["user"]["id"]
    return session


def _of_application(
    http: aiohttp.ClientSession, url: str, application: dict[str, Any], tokens: dict[str, Any]
) -> Callable[[], Awaitable[None]]:
    async def refresh() -> None:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": tokens["refresh_token"],
            "client_id": application["client_id"],
            "client_secret": application["client_secret"],
        }
        async with http.post(f"{url}/oauth/token", data=form) as response:
            assert response.status == 200, await response.text()
            tokens.update(await response.json())

    return refresh


def _of_session(user: ApiUser, session: dict[str, Any]) -> Callable[[], Awaitable[None]]:
    async def renew() -> None:
        body = {"refresh_token": session["refresh_token"]}
        session.update((await user.call("POST", "/tokens/refresh", json=body)).expect(201))

    return renew


async def _microseconds(pid: int, work: Callable[[], Awaitable[None]], times: int) -> float:
    before = process_seconds(pid)
    for _ in range(times):
        await work()
    return (process_seconds(pid) - before) / times * 1e6
