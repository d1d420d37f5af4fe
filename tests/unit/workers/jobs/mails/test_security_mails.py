"""Mails about changes of how an account is protected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from storage.mails import Recipient
from storage.notifications import SecurityEvent
from workers.jobs.mails.mail_requests import MailRequest
from workers.jobs.mails.security_mails import security_notice

MAILED = [event for event in SecurityEvent if event not in {SecurityEvent.PASSWORD_RESET, SecurityEvent.EMAIL_CHANGED}]


@pytest.mark.parametrize("event", MAILED)
@pytest.mark.parametrize(("device", "by"), [("Firefox on Linux", "from Firefox on Linux"), ("", "by the operator")])
async def test_a_mail_says_what_happened_and_when(event: SecurityEvent, device: str, by: str) -> None:
    """It names the account, the time and the device, and where a new password is chosen; it has no secret."""
    unused = cast("Any", None)
    request = MailRequest(
        db=unused,
        recipient=Recipient(user_id=7, username="ann", display_name="Ann", address="ann@example.org", claimed=True),
        params={"event": event.value, "device": device},
        event_id="e",
        due_at=datetime(2026, 11, 29, 12, 30, tzinfo=UTC),
        public_url="https://photos.example.com",
        tokens=unused,
    )
    letter = await security_notice(request)
    assert letter is not None
    text = letter.paragraphs[0]
    assert "@ann on PicShare" in text
    assert "2026-11-29 12:30 UTC" in text
    assert by in text
    assert letter.button is not None
    assert letter.button.url.startswith("https://photos.example.com/settings/")
    assert "https://photos.example.com/forgot" in letter.notes[0]
    assert letter.subject == letter.heading
