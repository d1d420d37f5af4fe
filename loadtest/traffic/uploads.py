"""Uploads: photos whose captions name the act, delivered to their authors and the authors' followers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from loadtest import names
from loadtest.client.frames import MARK
from loadtest.community.accounts import Account, photo_state
from loadtest.community.layout import Layout
from loadtest.community.pictures import Pictures
from loadtest.community.rest import NoResponseError
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Audience
from loadtest.traffic.ledger import Act, RequestOutcome
from loadtest.traffic.likes import outcome_of

STREAM = "feed"


class UploadTraffic:
    """Uploads as each author in turn; `act` does the next upload."""

    def __init__(
        self,
        accounts: Sequence[Account],
        layout: Layout,
        pictures: Pictures,
        audience: Audience,
        measures: Measures,
        *,
        name: str,
    ) -> None:
        self._accounts = accounts
        self._layout = layout
        self._pictures = pictures
        self._audience = audience
        self._measures = measures
        self._name = name
        self._authors = itertools.cycle(layout.followers)
        self._numbers = itertools.count(1)
        self._author_of: dict[str, Account] = {}

    async def act(self) -> None:
        """Upload one photo."""
        number = next(self._authors)
        author = self._accounts[number]
        key = f"{MARK} {self._name}-{next(self._numbers)}"
        form: dict[str, str | bytes] = {"caption": key, "file": self._pictures.next()}
        recipients = self._audience.recipients(self._layout.recipients(number))
        act = self._audience.ledger.begin(names.PHOTO, key, STREAM, recipients, time.monotonic(), self._settled)
        self._author_of[key] = author
        outcome = RequestOutcome.UNKNOWN
        try:
            response = await author.rest.request(
                "POST", "/photos", token=author.token, form=form, name=names.REQUEST_UPLOAD
            )
        except NoResponseError as error:
            self._measures.failed(f"upload: {error}")
        else:
            outcome = outcome_of(response, "upload", self._measures)
            if outcome is RequestOutcome.DONE:
                act.photo_id = response.json["id"]
        self._audience.ledger.answered(act, outcome, time.monotonic())

    def hold_back(self) -> None:
        """Count an upload that was due but could not begin."""
        self._measures.count(f"{names.HELD_BACK} {names.PHOTO}")

    async def is_processing(self, act: Act) -> bool:
        """Return whether the service is still processing a photo, so that it cannot have been delivered."""
        author = self._author_of.get(act.key)
        return author is not None and await photo_state(author, act.photo_id) == "processing"

    def _settled(self, act: Act) -> None:
        self._author_of.pop(act.key, None)
