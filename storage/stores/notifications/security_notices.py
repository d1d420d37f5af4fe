"""Notices of what happens to an account itself: a sign-in from a new device, a changed password.

A use case calls `notice` in the transaction that makes the change; a worker records the entry of the inbox after its
commit, and publishes it to the live connections of the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locales.sentences import Sentence, marked
from storage.ids import shard_of
from storage.notification_events import SecurityNoticed
from storage.notifications import SecurityEvent, SecurityNotice
from storage.postgres.database import Transaction

_LONGEST_DEVICE = 80  # characters
_SENTENCES = {
    SecurityEvent.NEW_SIGN_IN: (
        marked("New sign-in to your account from {device}"),
        marked("New sign-in to your account"),
    ),
    SecurityEvent.PASSWORD_CHANGED: (
        marked("Your password was changed from {device}"),
        marked("Your password was changed"),
    ),
    SecurityEvent.PASSWORD_RESET: (
        marked("Your password was reset from {device}"),
        marked("Your password was reset"),
    ),
    SecurityEvent.FACTOR_ADDED: (
        marked("Two-factor sign-in was turned on from {device}"),
        marked("Two-factor sign-in was turned on"),
    ),
    SecurityEvent.FACTOR_REMOVED: (
        marked("Two-factor sign-in was turned off from {device}"),
        marked("Two-factor sign-in was turned off"),
    ),
    SecurityEvent.PASSKEY_ADDED: (
        marked("A passkey was added from {device}"),
        marked("A passkey was added to your account"),
    ),
    SecurityEvent.PROVIDER_LINKED: (
        marked("A sign-in provider was linked from {device}"),
        marked("A sign-in provider was linked with your account"),
    ),
    SecurityEvent.TOKEN_CREATED: (
        marked("An access token was made from {device}"),
        marked("An access token was made for your account"),
    ),
    SecurityEvent.APPLICATION_CONNECTED: (
        marked("An app was connected with your account from {device}"),
        marked("An app was connected with your account"),
    ),
    SecurityEvent.EMAIL_CHANGED: (
        marked("Your e-mail address was changed from {device}"),
        marked("Your e-mail address was changed"),
    ),
}


def notice(tx: Transaction, user_id: int, event: SecurityEvent, *, device: str = "") -> None:
    """Notify a user of an event of the own account, once `tx` is committed.

    `device` is a short description for the user, such as "Firefox on Linux"; it is cut to 80 characters in one line.
    Emits `SecurityNoticed`.
    """
    line = " ".join(device.split())[:_LONGEST_DEVICE].rstrip()
    notice_id = tx.new_id(shard_of(user_id))
    tx.emit(SecurityNoticed(user_id=user_id, notice_id=notice_id, event=event.value, device=line))


def text_of(about: SecurityNotice) -> Sentence:
    """Return what the notification of a notice says."""
    with_device, without = _SENTENCES[about.event]
    return (
        Sentence.made(with_device, None, {"device": about.device}) if about.device else Sentence.made(without, None, {})
    )


def to_document(about: SecurityNotice | None) -> dict[str, str] | None:
    """Return a notice as a document for JSON, None for none."""
    return None if about is None else {"event": about.event.value, "device": about.device}


def from_document(document: Mapping[str, Any] | None) -> SecurityNotice | None:
    """Return the notice of a document that `to_document` has made."""
    if document is None:
        return None
    return SecurityNotice(event=SecurityEvent(document["event"]), device=document["device"])
