"""Accounts in few shards, for the tests of the API."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def few_shards(neighbours: None) -> None:
    """Put accounts into few shards in all tests here."""
