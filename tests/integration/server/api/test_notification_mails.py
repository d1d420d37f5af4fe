"""Mails about notifications that were not read, digests, and the links that end them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage import ids
from storage.models import User
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses, users
from storage.stores.notifications import deliveries
from tests.support.api import Api
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.community import ready_photo
from tests.support.deliveries import Deliveries
from tests.support.mails import Postbox, ReceivedMail, send_mails
from tests.support.stage import Stage

pytestmark = pytest.mark.engines
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
async def stage(database: Database, redis: Any) -> AsyncIterator[Stage]:
    """The workers, whose events the test handles."""
    stage = Stage(database, redis)
    await stage.open()
    yield stage
    await stage.close()


class Scene:
    """A user with a verified address and a photo, another user, and the workers."""

    def __init__(self, api: Api, stage: Stage, both: tuple[ApiUser, ApiUser], account: User, photo: str) -> None:
        self._api, self._stage = api, stage
        self.owner, self.other = both
        self.account, self.photo = account, photo
        self.worker, self.box = Deliveries(api.services.db, mails=True), Postbox()

    async def comment(self) -> None:
        """Let the other user comment."""
        (await self.other.call("POST", f"/photos/{self.photo}/comments", json={"text": "Where is it?"})).expect(201)
        await self.worker.send(self._stage)

    async def later(self, passed: timedelta = HALF_AN_HOUR) -> list[ReceivedMail]:
        """Let time pass, and return the mails that are sent then."""
        await self.worker.pass_time(passed)
        await send_mails(self._api.services, self.box)
        return self.box.take()

    async def unsubscribe(self, mail: ReceivedMail) -> None:
        """Use the one-click link of a mail, without signing in."""
        found = re.search(r"<(?:https?://[^/]+)?/api/v1(/[^>]+)>", str(mail.message["List-Unsubscribe"]))
        assert found is not None, mail.message["List-Unsubscribe"]
        assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        response = await self._api.visitor.call("POST", found[1], data={"List-Unsubscribe": "One-Click"})
        assert response.status < 300, response.body

    async def sign_in_with(self, languages: str) -> None:
        """Sign in with a client that prefers some languages."""
        fields = {"username": self.owner.name, "password": PASSWORD}
        headers = {"Accept-Language": languages}
        (await self._api.visitor.call("POST", "/tokens", json=fields, headers=headers)).expect(201)

    async def preference(self, kind: str) -> str:
        """Return the audience of mails about a kind."""
        page = (await self.owner.call("GET", "/notifications/preferences")).expect(200)
        audience: str = next(item["email"]["audience"] for item in page["items"] if item["kind"] == kind)
        return audience


@pytest.fixture
async def scene(api: Api, stage: Stage) -> Scene:
    """The scene."""
    owner, other = [await api.user() for _ in range(2)]
    account = await users.get(api.services.db, ids.decode(owner.id))
    async with api.services.db.transaction() as tx:
        await email_addresses.verify(tx, account.email, account.id)
    photo = ids.encode((await ready_photo(api.services.db, account)).id)
    await send_mails(api.services, Postbox())  # those of the sign-up
    return Scene(api, stage, (owner, other), account, photo)


async def test_a_mail_about_what_was_not_read(scene: Scene) -> None:
    """The mail has the sentence and the comment, and a link with which the user gets no more of this kind."""
    await scene.comment()
    (mail,) = await scene.later()
    sentence = f"{scene.other.name} commented on your photo"
    assert (mail.recipient, mail.subject) == (scene.account.email, sentence)
    for form in (mail.text, mail.html):
        assert "Where is it?" in form
        assert f"/p/{scene.photo}" in form
        assert "/settings/notifications" in form
    await scene.unsubscribe(mail)
    assert await scene.preference("comment") == "nobody"
    assert await scene.preference("mention") == "everyone"
    await scene.comment()
    assert await scene.later() == []
    # Choosing mails again in the settings ends what the link did.
    (await scene.owner.call("PUT", "/notifications/preferences", json={"items": []})).expect(200)
    await scene.comment()
    assert len(await scene.later()) == 1


@pytest.mark.parametrize(
    ("language", "subject", "settings"),
    [
        ("de", "Neuer Kommentar zu deinem Foto: {other}", "Wähle, worüber du benachrichtigt wirst"),
        ("ar", "علّق \N{FIRST STRONG ISOLATE}{other}\N{POP DIRECTIONAL ISOLATE} على صورتك", "اختر ما تُشعَر به"),
    ],
)
async def test_a_mail_is_in_the_language_of_its_user(scene: Scene, language: str, subject: str, settings: str) -> None:
    """The account's language decides about the sentences, and not about what users have written."""
    (await scene.owner.call("PATCH", "/users/me", json={"language": language})).expect(200)
    await scene.comment()
    (mail,) = await scene.later()
    assert mail.subject == subject.format(other=scene.other.name)
    assert mail.message["Content-Language"] == language
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in mail.html
    for form in (mail.text, mail.html):
        assert settings in form
        assert "Where is it?" in form


async def test_a_mail_is_in_the_language_of_the_last_client(scene: Scene) -> None:
    """Without a choice it is in that of the browser in which the user has signed in last."""
    await scene.sign_in_with("de-AT, en;q=0.5")
    await scene.comment()
    (mail,) = await scene.later()
    assert mail.subject == f"Neuer Kommentar zu deinem Foto: {scene.other.name}"


async def test_a_digest(scene: Scene, database: Database) -> None:
    """A digest lists what is new, in text and HTML, and its link turns it off."""
    (await scene.owner.call("PUT", "/notifications/digest", json={"frequency": "daily"})).expect(200)
    await database.fetch("UPDATE users SET last_seen_at = now() - interval '9 days' RETURNING id")
    async with database.transaction() as tx:
        await deliveries.set_digest(tx, scene.account.id, datetime.now(UTC) + timedelta(hours=2))
    await scene.comment()
    mails = await scene.later(timedelta(hours=2))
    (digest,) = (mail for mail in mails if mail.subject == "1 new notification on PicShare")
    for form in (digest.text, digest.html):
        assert f"{scene.other.name} commented on your photo" in form
        assert "Where is it?" in form
    await scene.unsubscribe(digest)
    assert (await scene.owner.call("GET", "/notifications/digest")).expect(200)["frequency"] == "off"
    left = await database.fetchval("SELECT count(*) FROM deliveries WHERE channel = 'digest' AND state = 'waiting'")
    assert left == 0


async def test_what_is_read_or_unverified_gets_no_mail(scene: Scene, database: Database) -> None:
    """A notification that is read after its mail was requested is not mailed, and an unverified address gets none."""
    await scene.comment()
    await scene.worker.pass_time(HALF_AN_HOUR)
    (await scene.owner.call("POST", "/notifications/read", json={})).expect(204)
    assert await scene.later(timedelta()) == []
    await database.fetch("UPDATE users SET email_verified_at = NULL RETURNING id")
    await scene.comment()
    assert await scene.later() == []
