"""Users with an app, on an API whose responses do not wait for images: no worker runs."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest

from tests.support.api import Api, InspectableServices, running_api
from tests.support.apps import AppUser, register_app


@pytest.fixture(autouse=True)
def few_shards(neighbours: None) -> None:
    """Put accounts into few shards in all tests here."""


@pytest.fixture
async def api(services: InspectableServices) -> AsyncIterator[Api]:
    """A running API on fresh stores."""
    settings = dataclasses.replace(services.settings, image_patience=0.0)
    async with running_api(dataclasses.replace(services, settings=settings)) as running:
        yield running


@pytest.fixture
async def users(api: Api) -> tuple[AppUser, AppUser]:
    """Two users, each with the same app."""
    app = await register_app(api)
    ann, ben = await api.user(), await api.user()
    return await AppUser.authorized(api, ann, app), await AppUser.authorized(api, ben, app)
