"""Webhooks of a user, and receivers in memory."""

from __future__ import annotations

import pytest

from storage.models import User
from storage.postgres.database import Database
from tests.support.community import new_user
from tests.support.webhooks import WebhookScene


@pytest.fixture
def scene(database: Database) -> WebhookScene:
    """The worker, and receivers in memory."""
    return WebhookScene(database)


@pytest.fixture
async def ada(database: Database) -> User:
    """A user with webhooks."""
    return await new_user(database, "ada")
