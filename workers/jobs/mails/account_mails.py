"""Mails about an account's address and password."""

from __future__ import annotations

from datetime import timedelta

from locales.sentences import marked, sentence
from storage.mails import ChangeEnd, TokenPurpose
from storage.stores.accounts import email_addresses, email_changes
from workers.jobs.mails.mail_requests import MailRequest
from workers.mails.letter import Button, Letter

VERIFY_TTL = timedelta(days=3)
RESET_TTL = timedelta(hours=1)
CHANGE_TTL = email_changes.TTL


async def verify_email(request: MailRequest) -> Letter | None:
    """Write the mail with which a user verifies the address, or what its owner has to know if it is another's."""
    recipient = request.recipient
    if recipient.verified:
        return None
    holder = await email_addresses.claimant(request.db, recipient.address)
    if holder not in {None, recipient.user_id}:
        return _taken(request, recipient.address)
    url = await request.one_time_url(
        TokenPurpose.VERIFY_EMAIL, "/verify", ttl=VERIFY_TTL, payload={"email": recipient.address}
    )
    if url is None:
        return None
    return Letter(
        to=recipient.address,
        subject=marked("Verify your e-mail address"),
        # Without the display name: anyone can give any address, and must not send a text of theirs to it.
        heading=marked("Verify your e-mail address"),
        paragraphs=[
            sentence(
                "The account @{username} on PicShare was created with this e-mail address. Verify it, so that it "
                "belongs to this account alone.",
                username=recipient.username,
            )
        ],
        button=Button(label=marked("Verify this address"), url=url),
        notes=[
            marked("The link works once, for three days."),
            marked("If you have not created this account, ignore this mail: without the link the address is not used."),
        ],
    )


def _taken(request: MailRequest, address: str) -> Letter:
    return Letter(
        to=address,
        to_another=True,
        subject=marked("You already have an account"),
        heading=marked("You already have an account"),
        paragraphs=[
            marked(
                "This e-mail address was entered for another account on PicShare, but it belongs to your account. If "
                "that was you, sign in to your account; if you have forgotten the password, choose a new one."
            ),
            marked("If it was not you, nothing needs to be done: your address stays with your account."),
        ],
        button=Button(label=marked("Sign in"), url=request.url("/signin")),
        notes=[sentence("Forgotten the password? {url}", url=request.url("/forgot"))],
    )


async def password_reset(request: MailRequest) -> Letter | None:
    """Write the mail with which a user chooses a new password."""
    recipient = request.recipient
    url = await request.one_time_url(
        TokenPurpose.PASSWORD_RESET, "/reset", ttl=RESET_TTL, payload={"email": recipient.address}
    )
    if url is None:
        return None
    notes = [marked("The link works once, for one hour. All devices are signed out when you use it.")]
    if recipient.deletion_due_at is not None:
        notes.append(marked("This account is being deleted. With the new password you can sign in and undo that."))
    return Letter(
        to=recipient.address,
        subject=marked("Choose a new password"),
        heading=marked("Choose a new password"),
        paragraphs=[
            sentence(
                "A new password was requested for your account @{username} on PicShare.", username=recipient.username
            )
        ],
        button=Button(label=marked("Choose a new password"), url=url),
        notes=[*notes, marked("If that was not you, ignore this mail: your password stays as it is.")],
    )


async def password_changed(request: MailRequest) -> Letter | None:
    """Write the notice of a new password."""
    recipient = request.recipient
    return Letter(
        subject=marked("Your password was changed"),
        heading=marked("Your password was changed"),
        paragraphs=[
            sentence(
                "The password of your account @{username} on PicShare was changed, and all devices were signed out.",
                username=recipient.username,
            ),
            marked("If that was not you, choose a new password at once."),
        ],
        button=Button(label=marked("I have not done this"), url=request.url("/forgot")),
    )


async def email_change(request: MailRequest) -> Letter | None:
    """Write the mail to one of the two addresses that confirm a change."""
    change = await email_changes.waiting(request.db, request.recipient.user_id)
    if change is None or change.id != request.params["change_id"]:
        return None  # it was stopped, or replaced by another
    end = ChangeEnd(request.params["end"])
    if end is ChangeEnd.NEW and await email_addresses.claimant(request.db, change.email) is not None:
        return _taken(request, change.email)
    url = await request.one_time_url(
        TokenPurpose.EMAIL_CHANGE,
        "/email-change",
        ttl=CHANGE_TTL,
        payload={"change_id": change.id, "end": end.value},
    )
    if url is None:
        return None
    account = f"@{request.recipient.username}"
    what = (
        sentence("This address is to become the address of the account {account} on PicShare.", account=account)
        if end is ChangeEnd.NEW
        else sentence(
            "The address of your account {account} on PicShare is to be changed to {email}.",
            account=account,
            email=change.email,
        )
    )
    both = (
        [marked("The change takes effect when both addresses have confirmed it.")]
        if change.from_email is not None
        else []
    )
    return Letter(
        to=change.email if end is ChangeEnd.NEW else change.from_email,
        subject=marked("Confirm the change of your e-mail address"),
        heading=marked("Confirm the change of your e-mail address"),
        paragraphs=[what, *both],
        button=Button(label=marked("Confirm or stop the change"), url=url),
        notes=[marked("The link works once, for a day. If that was not you, open it and stop the change.")],
    )


async def email_changed(request: MailRequest) -> Letter | None:
    """Write the notice to the former address of an account."""
    return Letter(
        to=str(request.params["former"]),
        subject=marked("The e-mail address of your account was changed"),
        heading=marked("Your e-mail address was changed"),
        paragraphs=[
            sentence(
                "Your account @{username} on PicShare has another e-mail address now. This is the last mail to this "
                "one.",
                username=request.recipient.username,
            )
        ],
        notes=[marked("If that was not you, contact the operator of this service at once.")],
    )
