"""Reads of the feed page by all users in turn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from loadtest import names
from loadtest.community.accounts import Account
from loadtest.community.rest import NoResponseError
from loadtest.measures.measures import Measures


class ReadTraffic:
    """Reads feed pages; `act` reads the next one."""

    def __init__(self, accounts: Sequence[Account], measures: Measures) -> None:
        self._accounts = itertools.cycle(accounts)
        self._measures = measures

    async def act(self) -> None:
        """Read one page."""
        account = next(self._accounts)
        try:
            response = await account.rest.request("GET", "/feed", token=account.token, name=names.REQUEST_FEED)
        except NoResponseError as error:
            self._measures.failed(f"feed: {error}")
            return
        if response.status != 200 and not response.limit:
            self._measures.failed(f"feed: {response.error_text}")

    def hold_back(self) -> None:
        """Count a read that was due but could not begin."""
        self._measures.count(f"{names.HELD_BACK} read")
