"""The kinds of mails, and the functions that write them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from storage.mails import MailKind
from storage.notifications import NotificationKind
from workers.jobs.mails import account_mails, notice_mails, notification_mails, security_mails
from workers.jobs.mails.mail_requests import MailSpec

MAIL_KINDS: Mapping[MailKind, MailSpec] = MappingProxyType(
    {
        MailKind.VERIFY_EMAIL: MailSpec(compose=account_mails.verify_email, rationed=True),
        MailKind.PASSWORD_RESET: MailSpec(compose=account_mails.password_reset, rationed=True),
        MailKind.PASSWORD_CHANGED: MailSpec(compose=account_mails.password_changed),
        MailKind.EMAIL_CHANGE: MailSpec(compose=account_mails.email_change, rationed=True),
        MailKind.EMAIL_CHANGED: MailSpec(compose=account_mails.email_changed),
        MailKind.SECURITY_NOTICE: MailSpec(compose=security_mails.security_notice),
        MailKind.ACCOUNT_DECISION: MailSpec(compose=notice_mails.account_decision),
        MailKind.NOTIFICATION: MailSpec(
            compose=notification_mails.notification, list_name=notification_mails.list_of_notification
        ),
        MailKind.DIGEST: MailSpec(compose=notification_mails.digest, list_name="digest"),
        MailKind.WEBHOOK_FAILING: MailSpec(
            compose=notice_mails.webhook_failing, list_name=NotificationKind.WEBHOOK_FAILING.value
        ),
        MailKind.WEBHOOK_DISABLED: MailSpec(
            compose=notice_mails.webhook_disabled, list_name=NotificationKind.WEBHOOK_DISABLED.value
        ),
    }
)
