"""The accounts of one tester process: sign-up or sign-in by token, follows, photos to like, and deletion."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from loadtest.client.frames import MARK
from loadtest.community.layout import Layout
from loadtest.community.pictures import Pictures
from loadtest.community.rest import ApiResponse, RestClient
from loadtest.community.token_file import Token
from loadtest.errors import LoadTestError, first_error

T = TypeVar("T")

SIGN_UPS_AT_ONCE = 4  # password hashing is slow on purpose, and the service hashes only a few at a time
REQUESTS_AT_ONCE = 8  # other requests of the preparation
DELETE_TIMEOUT = 15.0  # seconds for one account
_RENEW_AFTER = 0.6  # share of a token's lifetime; a little later for some accounts, to spread the load
_READY_POLL = 0.1  # seconds between two checks of a photo that is being processed


@dataclass(slots=True, eq=False)
class Account:
    """An account with a session; `renew_at` is on the clock of `time.monotonic`, None if it cannot be renewed."""

    number: int
    rest: RestClient
    id: str = ""
    username: str = ""
    token: str = ""
    refresh_token: str = ""
    renew_at: float | None = None
    photo_id: str = ""
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def renew(self) -> None:
        """Get a newer access token, once for all concurrent callers; without a refresh token do nothing."""
        before = self.token
        async with self._renewing:
            if self.token != before or not self.refresh_token:
                return
            document = {"refresh_token": self.refresh_token}
            response = await self.rest.request_with_retry("POST", "/tokens/refresh", json=document)
            if response.status == 201:
                self.store_tokens(response)
            else:
                self.renew_at = None

    def store_tokens(self, response: ApiResponse) -> None:
        """Store the tokens of a response."""
        document = response.json
        self.token, self.refresh_token = document["access_token"], document["refresh_token"]
        lifetime = float(document["expires_in"])
        self.renew_at = time.monotonic() + lifetime * (_RENEW_AFTER + 0.2 * (self.number % 20) / 20)


class Community:
    """The accounts of this process; `done` of `steps` requests of their preparation are complete."""

    def __init__(self, rest: RestClient, layout: Layout, pictures: Pictures, *, run: str, process: int) -> None:
        self._rest = rest
        self._layout = layout
        self._pictures = pictures
        self._process = process
        self._prefix = f"lt_{run}_{process}"
        self.accounts = [Account(number, rest) for number in range(layout.users)]
        self.done = 0
        self.steps = layout.users + sum(map(len, layout.followers.values())) + len(layout.owners)

    async def sign_up(self) -> None:
        """Create all accounts; raise `LoadTestError` when the server refuses one."""
        await self._for_all(self.accounts, self._sign_up, SIGN_UPS_AT_ONCE)

    async def sign_in(self, tokens: Sequence[Token]) -> None:
        """Use existing accounts by their tokens; raise `LoadTestError` for an invalid one."""
        for account, (token, refresh_token) in zip(self.accounts, tokens, strict=True):
            account.token, account.refresh_token = token, refresh_token
        await self._for_all(self.accounts, self._check_token, REQUESTS_AT_ONCE)

    async def follow_and_post(self) -> None:
        """Create the follows of the layout, and for each owner a photo that can be liked."""
        follows = [
            (self.accounts[follower], self.accounts[author])
            for author, followers in self._layout.followers.items()
            for follower in followers
        ]
        await self._for_all(follows, self._follow, REQUESTS_AT_ONCE)
        await self._for_all([self.accounts[owner] for owner in self._layout.owners], self._post, REQUESTS_AT_ONCE)

    async def delete(self) -> None:
        """Delete the accounts that this load test created; raise `TimeoutError` when the service does not respond."""
        await self._for_all([account for account in self.accounts if account.id], self._delete, REQUESTS_AT_ONCE)

    async def _sign_up(self, account: Account) -> None:
        account.username = f"{self._prefix}_{account.number}"
        document = {
            "username": account.username,
            "email": f"{account.username}@loadtest.example",
            "password": secrets.token_urlsafe(12),
        }
        response = await self._rest.request_with_retry("POST", "/users", json=document)
        if response.status != 201:
            raise LoadTestError(f"The server refused to create a test account ({response.error_text}).")
        account.store_tokens(response)
        account.id = response.json["user"]["id"]

    async def _check_token(self, account: Account) -> None:
        response = await self._rest.request_with_retry("GET", "/users/me", token=account.token)
        if response.status == 401 and account.refresh_token:
            await account.renew()
            response = await self._rest.request_with_retry("GET", "/users/me", token=account.token)
        if response.status != 200:
            raise LoadTestError(
                f"The server refused token {account.number + 1} of process {self._process} ({response.error_text})."
            )
        account.id, account.username = response.json["id"], response.json["username"]

    async def _follow(self, pair: tuple[Account, Account]) -> None:
        follower, author = pair
        response = await self._rest.request_with_retry("PUT", f"/users/{author.id}/follow", token=follower.token)
        if response.status != 204:
            raise LoadTestError(f"The server refused a follow ({response.error_text}).")

    async def _post(self, account: Account) -> None:
        form = {"file": self._pictures.next(), "caption": f"{MARK}: to be liked"}
        response = await self._rest.request_with_retry("POST", "/photos", token=account.token, form=form)
        if response.status != 201:
            raise LoadTestError(f"The server refused a photo ({response.error_text}).")
        account.photo_id = response.json["id"]
        while (state := await photo_state(account, account.photo_id)) != "ready":
            if state in {"rejected", "hidden", ""}:
                raise LoadTestError(f"A photo of the preparation was not published (state: {state or 'deleted'}).")
            await asyncio.sleep(_READY_POLL)

    async def _delete(self, account: Account) -> None:
        # The result of the test must not wait for a service that no longer responds.
        async with asyncio.timeout(DELETE_TIMEOUT):
            await self._rest.request_with_retry("DELETE", "/users/me", token=account.token)

    async def _for_all(self, items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
        limit = asyncio.Semaphore(at_once)

        async def one(item: T) -> None:
            async with limit:
                await work(item)
            self.done += 1

        try:
            async with asyncio.TaskGroup() as group:
                for item in items:
                    group.create_task(one(item))
        except BaseExceptionGroup as group:
            raise first_error(group) from group


async def photo_state(author: Account, photo_id: str) -> str:
    """Return the state of one of the author's photos; "" if it is deleted."""
    response = await author.rest.request_with_retry("GET", f"/photos/{photo_id}", token=author.token)
    return str(response.json["state"]) if response.status == 200 else ""
