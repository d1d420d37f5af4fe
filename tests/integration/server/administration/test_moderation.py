"""The commands about single photos, for operators: hide, restore, and show what was decided."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from server.administration import moderation
from server.cli.main import build_app
from server.config.settings import Settings
from server.errors import InputError
from storage.errors import NotFoundError
from storage.ids import encode
from storage.models import PhotoState
from storage.moderation import Decider
from storage.postgres.database import Database
from storage.stores.photos import photos
from tests.integration.server.administration.test_doctor import settings_of
from tests.support.community import new_user, processing_photo, ready_photo
from tests.support.moderation import HIDE, decide

pytestmark = pytest.mark.engines


@pytest.fixture
def settings(database: Database, database_dsn: str, redis: Any, redis_url: str) -> Settings:
    """Settings that name the test's engines."""
    return settings_of(database_dsn, redis_url)


async def test_a_photo_is_hidden_shown_and_restored(database: Database, settings: Settings) -> None:
    """Operators decide as moderators do, over services, and see the latest decision of each source."""
    photo = await ready_photo(database, await new_user(database, "ann"))
    identifier = encode(photo.id)
    await decide(database, photo, HIDE, Decider.SERVICE, source="7", reason="nudity")
    restored = await moderation.restore(settings, identifier)
    assert (restored.state, restored.changed) == (PhotoState.READY, True)
    hidden = await moderation.hide(settings, identifier, reason=" Shows  an address ", rule="privacy")
    assert (hidden.state, hidden.applied.reason, hidden.applied.rule) == (
        PhotoState.HIDDEN,
        "Shows an address",
        "privacy",
    )
    assert not (await moderation.hide(settings, identifier, reason="Shows an address", rule="privacy")).changed
    found = await moderation.show(settings, identifier)
    assert found.photo.state is PhotoState.HIDDEN
    assert [decision.by for decision in found.decisions] == [Decider.MODERATOR, Decider.SERVICE]


async def test_a_photo_in_processing_is_hidden_later(database: Database, settings: Settings) -> None:
    """The decision is kept until its images exist."""
    photo = await processing_photo(database, await new_user(database, "ann"))
    decided = await moderation.hide(settings, encode(photo.id), reason="no", rule="")
    assert (decided.state, decided.changed) == (PhotoState.PROCESSING, True)
    assert (await photos.load(database, [photo.id]))[photo.id].moderation is not None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reason": " "}, "--reason has 1 to 500"),
        ({"reason": "x" * 501}, "--reason has 1 to 500"),
        ({"reason": "a\0b"}, "--reason: Control characters"),
        ({"rule": "x" * 101}, "--rule has 0 to 100"),
        ({"photo": "photo"}, "'photo' is no id of a photo"),
    ],
)
async def test_what_is_refused(settings: Settings, fields: dict[str, str], message: str) -> None:
    """The error names the argument, and says what is allowed."""
    values = {"photo": encode(1), "reason": "no", "rule": "", **fields}
    with pytest.raises(InputError, match=message):
        await moderation.hide(settings, values.pop("photo"), **values)


async def test_an_unknown_photo(settings: Settings) -> None:
    """There is nothing to decide about, nor to show."""
    for command in (moderation.restore, moderation.show):
        with pytest.raises(NotFoundError):
            await command(settings, encode(1))


def test_the_commands_have_help() -> None:
    """Each says what it does, with an example."""
    for command in ("hide", "restore", "show"):
        found = CliRunner().invoke(build_app(), ["moderation", command, "--help"])
        assert found.exit_code == 0
        assert f"picshare moderation {command} 01K3S9C0XG4Q7" in found.output.replace("\n", " ")
