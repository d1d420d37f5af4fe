"""The form by which tries are counted has at least the equalities of a database."""

from __future__ import annotations

import sys

import pytest

from server.identity.login_keys import login_key


def test_cases_of_every_letter_are_one() -> None:
    """Whatever a database does to change the case of a letter, the form stays; so it has no tries of its own."""
    different = [
        symbol
        for symbol in map(chr, range(sys.maxunicode + 1))
        for other in {symbol.lower(), symbol.upper(), symbol.casefold()}
        if len(other) == 1 and login_key(symbol) != login_key(other)
    ]
    assert different == []


@pytest.mark.parametrize("spelling", ["INGRID", "İngrid", "ıngrid", "i\u0307ngrid", "ingríd"])
def test_spellings_of_a_login(spelling: str) -> None:
    """Locales differ about the dots of "i"."""
    assert login_key(f"{spelling}@example.org") == "ingrid@example.org"


def test_other_logins_are_others() -> None:
    """Other letters count."""
    assert len({login_key(login) for login in ("anna", "anne", "ann.a", "ann@a", "анна")}) == 5
