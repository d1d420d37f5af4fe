"""Uploads: photos whose captions name the act, told to their authors' followers and the authors themselves."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from loadtest import names
from loadtest.client.frames import MARK
from loadtest.community.accounts import Person, photo_state
from loadtest.community.layout import Layout
from loadtest.community.pictures import Pictures
from loadtest.community.rest import NoAnswerError
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Crowd
from loadtest.traffic.ledger import Act, Outcome
from loadtest.traffic.likes import outcome_of

STREAM = "feed"


class Uploads:
    """Upload as the authors in turn; `act` does the next one."""

    def __init__(
        self,
        people: Sequence[Person],
        layout: Layout,
        pictures: Pictures,
        crowd: Crowd,
        measures: Measures,
        *,
        name: str,
    ) -> None:
        self._people = people
        self._layout = layout
        self._pictures = pictures
        self._crowd = crowd
        self._measures = measures
        self._name = name
        self._authors = itertools.cycle(layout.followers)
        self._numbers = itertools.count(1)
        self._author_of: dict[str, Person] = {}

    async def act(self) -> None:
        """Upload one photo."""
        number = next(self._authors)
        author = self._people[number]
        key = f"{MARK} {self._name}-{next(self._numbers)}"
        form: dict[str, str | bytes] = {"caption": key, "file": self._pictures.next()}
        audience = self._crowd.audience(self._layout.audience(number))
        act = self._crowd.ledger.begin(names.PHOTO, key, STREAM, audience, time.monotonic(), self._settled)
        self._author_of[key] = author
        outcome = Outcome.UNKNOWN
        try:
            answer = await author.rest.ask("POST", "/photos", token=author.token, form=form, name=names.REQUEST_UPLOAD)
        except NoAnswerError as error:
            self._measures.failed(f"upload: {error}")
        else:
            outcome = outcome_of(answer, "upload", self._measures)
            if outcome is Outcome.DONE:
                act.photo_id = answer.json["id"]
        self._crowd.ledger.answered(act, outcome, time.monotonic())

    def hold_back(self) -> None:
        """Count an act that was due and could not be begun."""
        self._measures.count(f"{names.HELD_BACK} {names.PHOTO}")

    async def waits(self, act: Act) -> bool:
        """Tell whether the service still works on a photo, so that nobody can have heard of it."""
        author = self._author_of.get(act.key)
        return author is not None and await photo_state(author, act.photo_id) == "processing"

    def _settled(self, act: Act) -> None:
        self._author_of.pop(act.key, None)
