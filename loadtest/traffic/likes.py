"""Likes, added and removed in turn; each photo has at most one act in progress.

A publication about a photo's like therefore identifies its act: a notification names the newest liker, and the removal
of a notification names the notification that the like caused. A like is removed only after every recipient has
received it, since a recovery shows the current state and not the changes that led to it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest import names
from loadtest.client.frames import liked, unliked
from loadtest.community.accounts import Account
from loadtest.community.rest import ApiResponse, NoResponseError
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Audience
from loadtest.traffic.ledger import Act, RequestOutcome

STREAM = "notifications"
Later = Callable[[float, Callable[[], None]], object]


@dataclass(slots=True, eq=False)
class LikedPhoto:
    """A photo and the account that likes it now; `entry` is its notification, `turn` the account that likes it next.

    `unclear` is set after a request without a response: whether the photo is liked is unknown.
    """

    owner: int
    id: str
    turn: int
    liker: int | None = None
    entry: str = ""
    unclear: bool = False


class LikeTraffic:
    """Adds and removes likes; `act` does the next one. `later` calls a function after some seconds."""

    def __init__(
        self,
        accounts: Sequence[Account],
        owners: Sequence[int],
        audience: Audience,
        measures: Measures,
        *,
        patience: float,
        later: Later,
    ) -> None:
        self._accounts = accounts
        self._audience = audience
        self._measures = measures
        self._patience = patience
        self._later = later
        photos = [
            LikedPhoto(owner, accounts[owner].photo_id, (owner + 1) % len(accounts))
            for owner in owners
            if audience.sockets_of(owner)
        ]
        self._ready = deque(photos)

    async def act(self) -> None:
        """Add or remove one like, on the photo that has been idle for longest."""
        if not self._ready:
            self.hold_back()
            return
        photo = self._ready.popleft()
        if photo.unclear:
            await self._clear(photo)
        elif photo.liker is None:
            liker, photo.turn = photo.turn, self._next_liker(photo)
            await self._send("PUT", photo, liker, liked(photo.id, self._accounts[liker].id), liker)
        else:
            # Without a notification of the like there is none to remove, so its removal owes no delivery.
            key = unliked(photo.entry) if photo.entry else ""
            await self._send("DELETE", photo, photo.liker, key, None)

    def hold_back(self) -> None:
        """Count an act that was due but could not begin."""
        self._measures.count(f"{names.HELD_BACK} {names.LIKE}")

    async def _send(self, method: str, photo: LikedPhoto, actor: int, key: str, liker: int | None) -> None:
        """Send one request as an act of the ledger; afterwards the photo is liked by `liker`."""

        def settled(act: Act) -> None:
            if act.outcome is RequestOutcome.DONE:
                photo.liker, photo.entry = liker, act.entry
                self._ready.append(photo)
            elif act.outcome is RequestOutcome.UNKNOWN:
                photo.liker, photo.unclear = actor, True
                self._return_later(photo, self._patience)

        recipients = self._audience.recipients((photo.owner,)) if key else frozenset()
        act = self._audience.ledger.begin(
            names.LIKE, key or f"unknown {photo.id}", STREAM, recipients, time.monotonic(), settled
        )
        outcome, pause = await self._request(method, photo, self._accounts[actor])
        self._audience.ledger.answered(act, outcome, time.monotonic())
        if outcome is RequestOutcome.REFUSED:
            self._return_later(photo, pause)

    async def _request(self, method: str, photo: LikedPhoto, account: Account) -> tuple[RequestOutcome, float]:
        """Return the outcome of a request, and for how many seconds to leave the photo alone if it was refused."""
        try:
            response = await account.rest.request(
                method, f"/photos/{photo.id}/like", token=account.token, name=names.REQUEST_LIKE
            )
        except NoResponseError as error:
            self._measures.failed(f"like: {error}")
            return RequestOutcome.UNKNOWN, 0.0
        return outcome_of(response, "like", self._measures), response.retry_after

    async def _clear(self, photo: LikedPhoto) -> None:
        """Remove a like whose request had no response, and wait until publications about it have passed."""
        if photo.liker is not None:
            outcome, _ = await self._request("DELETE", photo, self._accounts[photo.liker])
            if outcome is RequestOutcome.DONE:
                photo.liker, photo.entry, photo.unclear = None, "", False
        self._return_later(photo, self._patience)

    def _return_later(self, photo: LikedPhoto, seconds: float) -> None:
        self._later(seconds, lambda: self._ready.append(photo))

    def _next_liker(self, photo: LikedPhoto) -> int:
        following = (photo.turn + 1) % len(self._accounts)
        return following if following != photo.owner else (following + 1) % len(self._accounts)


def outcome_of(response: ApiResponse, what: str, measures: Measures) -> RequestOutcome:
    """Return the outcome of a request by its response, and count errors."""
    if response.status < 300:
        return RequestOutcome.DONE
    if not response.limit:
        measures.failed(f"{what}: {response.error_text}")
    return RequestOutcome.UNKNOWN if response.status >= 500 else RequestOutcome.REFUSED
