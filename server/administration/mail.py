"""What the commands about mail do: send a test, verify addresses, and reset passwords for users."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from pydantic import BaseModel, ValidationError

from server.administration.commands import open_database
from server.administration.findings import Finding
from server.composition.outbound import mail_settings
from server.config.section import from_sections
from server.config.settings import Settings
from server.edge.fields import Email, Password
from server.edge.problem import invalid
from server.errors import InputError
from server.identity.passwords import Passwords, PasswordSettings
from storage.errors import ConflictError, NotFoundError
from storage.mails import TokenPurpose
from storage.stores.accounts import email_addresses, usernames, users
from storage.stores.credentials import one_time_tokens, sessions
from workers.mails.letter import Letter
from workers.mails.message import Identity, build_message, envelope_of
from workers.mails.opening import open_transport
from workers.mails.port import MailError
from workers.mails.rendering import Footer
from workers.mails.urls import CONSOLE, parse_sender


class _Address(BaseModel):
    email: Email


class _NewPassword(BaseModel):
    password: Password


async def send_test(settings: Settings, address: str) -> str | None:
    """Send a mail to an address at once; return why it was not sent, or None. Raises `InputError` for other texts."""
    try:
        address = _Address(email=address).email
    except ValidationError as error:
        raise InputError(invalid(error).detail) from error
    section = mail_settings(settings)
    message = build_message(
        Letter(
            subject="Mail from PicShare works",
            heading="Mail from PicShare works",
            paragraphs=["This is the test that you have sent with `picshare mail test`."],
        ),
        Footer(reason=f"You receive this mail because an operator of {settings.public_url} has sent it to you."),
        sender=parse_sender(section.sender),
        address=address,
        name="",
        identity=Identity(event_id=str(uuid.uuid4()), sent_at=datetime.now(UTC)),
    )
    try:
        await open_transport(section).send(message, envelope_of(message))
    except MailError as error:
        return str(error)
    return None


async def inspect_mail(settings: Settings) -> Finding:
    """Check that the mail server accepts a connection, and the password if there is one; nothing is sent."""
    section = mail_settings(settings)
    if section.url.startswith(CONSOLE):
        # Not a problem that ends the command: an installation may do without mail.
        return Finding(
            name="mail", detail="not sent but printed by the worker `notify`; mail.url names a server for it"
        )
    try:
        return Finding(name="mail", detail=await open_transport(section).check())
    except MailError as error:
        return Finding(
            name="mail", detail=str(error), remedy="Check mail.url, and that the server accepts this machine."
        )


async def verify_email(settings: Settings, username: str) -> str:
    """Count the address of an account as verified, and return it.

    Raises `NotFoundError`, and `ConflictError` email_taken if another account has claimed the address.
    """
    async with open_database(settings) as db, db.transaction() as tx:
        user_id = await usernames.id_of(tx, username)
        recipient = None if user_id is None else await email_addresses.recipient(tx, user_id)
        if recipient is None:
            raise NotFoundError("user")
        if not await email_addresses.verify(tx, recipient.address, recipient.user_id):
            raise ConflictError("email_taken", f"The address {recipient.address} belongs to another account.")
        return recipient.address


async def reset_password(settings: Settings, username: str, password: str) -> int:
    """Set the password of an account, end its sessions, and return their number.

    Workers close their live connections. Raises `NotFoundError`, and `InputError` for a password that is too short.
    """
    try:
        password = _NewPassword(password=password).password
    except ValidationError as error:
        raise InputError(invalid(error).detail) from error
    passwords = Passwords.of(from_sections(PasswordSettings, settings.auth))
    try:
        encoded = await passwords.hash(password)
    finally:
        passwords.close()
    async with open_database(settings) as db, db.transaction() as tx:
        user_id = await usernames.id_of(tx, username)
        if user_id is None or await users.set_password_hash(tx, user_id, encoded) is None:
            raise NotFoundError("user")
        await one_time_tokens.use_up_all(tx, user_id, TokenPurpose.PASSWORD_RESET)
        return len(await sessions.revoke_all(tx, user_id))
