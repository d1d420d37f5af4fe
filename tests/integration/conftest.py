"""Fixtures that the tests of several areas choose for themselves."""

from __future__ import annotations

import itertools

import pytest

from storage import ids


@pytest.fixture
def neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put two of three new accounts into one shard.

    A statement that names the shard, and forgets the account, would hardly ever find the rows of another one in the
    1,024 shards. The third account is in another shard and slot group, as accounts usually are.
    """
    shards = itertools.cycle((7, 7, 800))
    monkeypatch.setattr(ids, "draw_shard", lambda: next(shards))
