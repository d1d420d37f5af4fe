"""Accounts that an operator creates, deletes and restores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.administration import account_security, applications
from server.administration.commands import create_user, delete_user, find_users, restore_user
from server.config.settings import Settings
from server.errors import InputError
from storage import ids
from storage.devices import Device
from storage.errors import NotFoundError
from storage.models import Role, User
from storage.postgres.database import Database
from storage.stores.credentials import api_tokens, oauth_clients, second_factors
from storage.stores.credentials import sessions as session_rows
from storage.stores.credentials.api_tokens import NewToken
from storage.stores.credentials.oauth_clients import ApplicationFields
from tests.integration.server.administration.test_doctor import settings_of

pytestmark = pytest.mark.engines


async def create(settings: Settings, **changes: str) -> User:
    """Create an account with these texts."""
    fields = {"username": "ada", "email": "ada@example.com", "password": "correct horse battery", "display_name": "Ada"}
    return await create_user(settings, role=Role.ADMIN, **{**fields, **changes})


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("username", "a b"),
        ("email", "ada"),
        ("password", "short"),
        ("display_name", "Ada\u202eevil"),
        ("display_name", "x" * 61),
        ("display_name", "a" + "\u0300" * 9),
        ("display_name", "a\0"),
    ],
)
async def test_texts_that_signing_up_refuses_are_refused(
    database_dsn: str, valkey_url: str, field: str, text: str
) -> None:
    """The error names the field."""
    with pytest.raises(InputError, match=rf"^{field}: "):
        await create(settings_of(database_dsn, valkey_url), **{field: text})


async def test_a_reserved_name_is_for_operators(database_dsn: str, valkey_url: str) -> None:
    """An operator creates the official accounts, with the names that signing up refuses."""
    account = await create(settings_of(database_dsn, valkey_url), username="support")
    assert account.username == "support"


async def test_texts_are_stored_in_the_form_of_signing_up(database_dsn: str, valkey_url: str) -> None:
    """Spaces are single, and a name that shows nothing is the username."""
    settings = settings_of(database_dsn, valkey_url)
    ada = await create(settings, display_name="  Ada   Lovelace ", email=" ada@example.com ")
    assert (ada.display_name, ada.role) == ("Ada Lovelace", Role.ADMIN)
    eve = await create(settings, username="eve", email="eve@example.com", display_name="\u2060 \u3164")
    assert eve.display_name == "eve"


async def test_an_operator_deletes_and_restores(database_dsn: str, valkey_url: str) -> None:
    """As the user could; with `at_once` for good, also an account that could still be restored."""
    settings = settings_of(database_dsn, valkey_url)
    ada = await create(settings)
    due_at = await delete_user(settings, "Ada", at_once=False)
    assert due_at is not None
    assert due_at.utcoffset() == timedelta(0)
    assert await find_users(settings, "ada", 1) == []
    with pytest.raises(NotFoundError):
        await delete_user(settings, "ada", at_once=False)
    assert await restore_user(settings, "ada") == ada
    assert await find_users(settings, "ada", 1) == [ada]
    for name in ("ada", "nobody"):
        with pytest.raises(NotFoundError):
            await restore_user(settings, name)
    await delete_user(settings, "ada", at_once=False)
    assert await delete_user(settings, "ada", at_once=True) is None
    with pytest.raises(NotFoundError):
        await restore_user(settings, "ada")
    assert (await create(settings)).id != ada.id
    assert await delete_user(settings.with_values("accounts", deletion_grace=0), "ada", at_once=False) is None
    await create(settings)


async def test_an_operator_ends_sessions_and_turns_a_second_factor_off(
    database: Database, database_dsn: str, valkey_url: str
) -> None:
    """The sessions are listed by their devices and end; an account without a second factor stays as it is."""
    settings = settings_of(database_dsn, valkey_url)
    ada = await create(settings)
    device = Device(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Firefox/142.0", network="203.0.113.0/24")
    expires_at = datetime.now(UTC) + timedelta(days=1)
    async with database.transaction() as tx:
        await session_rows.open(tx, ada.id, token_sha256=b"1", expires_at=expires_at, device=device)
        await second_factors.begin(tx, ada.id, b"secret")
        await second_factors.confirm(tx, ada.id)
        await second_factors.replace_recovery_codes(tx, ada.id, [b"code"])
    (listed,) = await account_security.sessions(settings, "ADA")
    assert (listed.device, listed.network) == ("Firefox on Linux", "203.0.113.0/24")
    assert await account_security.end_sessions(settings, "ada") == 1
    assert await account_security.sessions(settings, "ada") == []
    assert await account_security.end_sessions(settings, "ada") == 0
    assert await account_security.disable_second_factor(settings, "ada") is True
    assert await account_security.disable_second_factor(settings, "ada") is False
    assert await second_factors.recovery_codes_left(database, ada.id) == 0
    for act in (account_security.sessions, account_security.end_sessions, account_security.disable_second_factor):
        with pytest.raises(NotFoundError):
            await act(settings, "nobody")


async def test_an_operator_lists_and_revokes_tokens(database: Database, database_dsn: str, valkey_url: str) -> None:
    """Those of one application, or all; the sessions of sign-ins go on."""
    settings = settings_of(database_dsn, valkey_url)
    ada = await create(settings)
    fields = ApplicationFields(name="Frames", website="", redirect_uris=["app:/x"], scopes=["read"])
    async with database.transaction() as tx:
        application = await oauth_clients.add(tx, None, fields, secret_sha256=None, shard_=7)
        await session_rows.open(tx, ada.id, token_sha256=b"1", expires_at=datetime.now(UTC) + timedelta(days=1))
        await api_tokens.open_session(tx, ada.id, NewToken(sha256=b"2", scopes=["read", "push"], name="Backup"))
        token = NewToken(sha256=b"3", scopes=["read"], client_id=application.id)
        await api_tokens.open_session(tx, ada.id, token)
    listed = await account_security.tokens(settings, "ada")
    client_id = ids.encode(application.id)
    assert [(each.name, each.application, each.scopes) for each in listed] == [
        ("Backup", "", "read push"),
        ("Frames", client_id, "read"),
    ]
    assert await account_security.revoke_tokens(settings, "ada", application=client_id) == 1
    assert await account_security.revoke_tokens(settings, "ada", application=client_id) == 0
    assert await account_security.revoke_tokens(settings, "ada") == 1
    assert await account_security.tokens(settings, "ada") == []
    assert len(await account_security.sessions(settings, "ada")) == 1
    with pytest.raises(NotFoundError):
        await account_security.revoke_tokens(settings, "ada", application="Frames")


async def test_an_operator_deletes_an_application(database: Database, database_dsn: str, valkey_url: str) -> None:
    """Of any developer; the janitor ends its tokens. It is deleted once, and an id that is none is refused."""
    settings = settings_of(database_dsn, valkey_url)
    fields = ApplicationFields(name="Frames", website="", redirect_uris=["app:/x"], scopes=["read"])
    async with database.transaction() as tx:
        application = await oauth_clients.add(tx, None, fields, secret_sha256=None, shard_=7)
    client_id = ids.encode(application.id)
    assert await applications.delete(settings, client_id) == "Frames"
    assert await oauth_clients.deleted(database) == [application.id]
    for missing in (client_id, "Frames"):
        with pytest.raises(NotFoundError):
            await applications.delete(settings, missing)
