"""The commands about mail: a test, the check of the doctor, and what operators do for users who get no mail."""

from __future__ import annotations

import pytest

from server.administration import mail
from server.config.settings import Settings
from server.errors import InputError
from server.identity.passwords import Passwords
from storage.errors import ConflictError, NotFoundError
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses, users
from tests.support.mails import mail_server, silent_server

pytestmark = pytest.mark.engines


def settings_of(database: str = "embedded:", **section: object) -> Settings:
    """Return settings with a database and a mail server."""
    settings = Settings().with_values("database", url=database).with_values("auth", hash_memory=19, hash_passes=2)
    return settings.with_values("mail", **section)


async def test_a_test_is_sent_at_once() -> None:
    """The mail arrives with the sender of the settings; what prevents it is returned."""
    async with mail_server() as server:
        settings = settings_of(url=f"smtp://127.0.0.1:{server.port}", sender="Photos <no-reply@photos.example>")
        assert await mail.send_test(settings, "ada@example.com") is None
        (received,) = server.mails
        assert (received.recipient, received.message["From"]) == ("ada@example.com", "Photos <no-reply@photos.example>")
        assert "responds" in (await mail.inspect_mail(settings)).detail
        server.rcpt = "550 5.7.1 Relaying denied"
        assert "550" in str(await mail.send_test(settings, "ada@example.com"))
    with pytest.raises(InputError, match="not an e-mail address"):
        await mail.send_test(settings, "ada")


async def test_the_doctor_names_a_server_that_does_not_answer() -> None:
    """A server that is silent or away is a problem with a remedy; printing mails is none."""
    async with silent_server() as port:
        settings = settings_of(url=f"smtp://127.0.0.1:{port}", timeout=0.2)
        silent = await mail.inspect_mail(settings)
    away = await mail.inspect_mail(settings)
    assert not silent.ok
    assert not away.ok
    assert "mail.url" in away.remedy
    assert (await mail.inspect_mail(settings_of())).ok


async def test_operators_verify_addresses_and_reset_passwords(database: Database, database_dsn: str) -> None:
    """An address that another account has claimed is a conflict; a new password ends the sessions."""
    settings = settings_of(database_dsn)
    async with database.transaction() as tx:
        ada = await users.create(
            tx, username="ada", email="ada@example.com", password_hash="-", display_name="", pending=True
        )
        eve = await users.create(
            tx, username="eve", email="ada@example.com", password_hash="-", display_name="", pending=True
        )
    assert await mail.verify_email(settings, "ada") == "ada@example.com"
    found = await email_addresses.recipient(database, ada.id)
    assert found is not None
    assert found.verified
    with pytest.raises(ConflictError, match="another account"):
        await mail.verify_email(settings, "eve")
    with pytest.raises(NotFoundError):
        await mail.verify_email(settings, "nobody")
    with pytest.raises(InputError, match="at least 8 characters"):
        await mail.reset_password(settings, "eve", "short")
    assert await mail.reset_password(settings, "eve", "a new secret of eve") == 0
    encoded = await users.password_hash(database, eve.id)
    passwords = Passwords()
    assert await passwords.verify(encoded, "a new secret of eve")
    passwords.close()
