"""Mails of what an account's user should know without opening PicShare: decisions, and webhooks that fail."""

from __future__ import annotations

from locales.sentences import marked
from storage.ids import encode
from storage.notifications import NotificationKind
from storage.stores.notifications import decision_notices, webhook_notices
from workers.jobs.mails.mail_requests import MailRequest
from workers.mails.letter import Button, Letter


async def account_decision(request: MailRequest) -> Letter | None:
    """Write the mail of a decision of moderators about the account."""
    subject = (NotificationKind.DECISION, int(request.params["decision_id"]))
    notice = (await decision_notices.read(request.db, [subject])).get(subject)
    if notice is None:
        return None
    return Letter(
        subject=marked("A decision about your account"),
        heading=marked("A decision about your account"),
        paragraphs=[
            notice.text,
            marked("You can read the decision and its reasons on PicShare, and appeal against it."),
        ],
        button=Button(label=marked("Read the decision"), url=request.url("/decisions")),
    )


async def webhook_failing(request: MailRequest) -> Letter | None:
    """Write the mail of a webhook whose messages fail."""
    return await _webhook(
        request,
        NotificationKind.WEBHOOK_FAILING,
        marked("Its messages are tried again for some days. If all of them fail for five days, it is disabled."),
    )


async def webhook_disabled(request: MailRequest) -> Letter | None:
    """Write the mail of a webhook that was disabled."""
    return await _webhook(
        request,
        NotificationKind.WEBHOOK_DISABLED,
        marked("It gets no messages until you have activated it again. What it has missed can be sent again then."),
    )


async def _webhook(request: MailRequest, kind: NotificationKind, consequence: str) -> Letter | None:
    webhook_id = int(request.params["webhook_id"])
    notices = await webhook_notices.read(request.db, request.recipient.user_id, [(kind, webhook_id)])
    notice = notices.get((kind, webhook_id))
    if notice is None:
        return None  # it was deleted meanwhile
    return Letter(
        subject=notice.text,
        heading=notice.text,
        paragraphs=[consequence],
        button=Button(label=marked("Look at its log"), url=request.url(f"/settings/webhooks/{encode(webhook_id)}")),
    )
