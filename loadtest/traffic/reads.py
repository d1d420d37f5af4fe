"""Reads of the feed page by everybody in turn, as people do who only look."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from loadtest import names
from loadtest.community.accounts import Person
from loadtest.community.rest import NoAnswerError
from loadtest.measures.measures import Measures


class Reads:
    """Read feed pages; `act` reads the next one."""

    def __init__(self, people: Sequence[Person], measures: Measures) -> None:
        self._people = itertools.cycle(people)
        self._measures = measures

    async def act(self) -> None:
        """Read one page."""
        person = next(self._people)
        try:
            answer = await person.rest.ask("GET", "/feed", token=person.token, name=names.REQUEST_FEED)
        except NoAnswerError as error:
            self._measures.failed(f"feed: {error}")
            return
        if answer.status != 200 and not answer.limit:
            self._measures.failed(f"feed: {answer.complaint}")

    def hold_back(self) -> None:
        """Count a read that was due and could not be begun."""
        self._measures.count(f"{names.HELD_BACK} read")
