"""Mails about changes of how an account is protected, and about sign-ins from new devices."""

from __future__ import annotations

from storage.notifications import SecurityEvent
from workers.jobs.mail_requests import MailRequest
from workers.mails.letter import Button, Letter

# Subject, what has happened, and what the user should look at, with the path of that page.
_TEXTS = {
    SecurityEvent.NEW_SIGN_IN: (
        "New sign-in to your account",
        "A device that was not used before has signed in to the account {account}",
        ("Show my sessions", "/settings/sessions"),
    ),
    SecurityEvent.PASSWORD_CHANGED: (
        "Your password was changed",
        "The password of the account {account} was changed, and all other devices were signed out",
        ("Show my sessions", "/settings/sessions"),
    ),
    SecurityEvent.FACTOR_ADDED: (
        "Two-factor sign-in was turned on",
        "Sign-ins to the account {account} ask for a code as well from now on",
        ("Check my settings", "/settings/security"),
    ),
    SecurityEvent.FACTOR_REMOVED: (
        "Two-factor sign-in was turned off",
        "Sign-ins to the account {account} ask for the password alone from now on",
        ("Check my settings", "/settings/security"),
    ),
    SecurityEvent.PROVIDER_LINKED: (
        "A sign-in provider was linked with your account",
        "The account {account} can also be signed in to with another service from now on",
        ("Check my settings", "/settings/security"),
    ),
    SecurityEvent.TOKEN_CREATED: (
        "An access token was made for your account",
        "A program that has the new access token can use the account {account}",
        ("Show my access tokens", "/settings/tokens"),
    ),
    SecurityEvent.APPLICATION_CONNECTED: (
        "An app was connected with your account",
        "An app was given access to the account {account}",
        ("Show my connected apps", "/settings/applications"),
    ),
    SecurityEvent.PASSKEY_ADDED: (
        "A passkey was added to your account",
        "A new passkey can be used to sign in to the account {account}",
        ("Check my settings", "/settings/security"),
    ),
}


async def security_notice(request: MailRequest) -> Letter | None:
    """Write a notice; `params` have the `event` and the `device`, which is empty for a change by the operator."""
    event, device = SecurityEvent(request.params["event"]), str(request.params["device"])
    subject, what, (label, path) = _TEXTS[event]
    happened = what.format(account=f"@{request.recipient.username} on PicShare")
    by = f"from {device}" if device else "by the operator of this service"
    return Letter(
        subject=subject,
        heading=subject,
        paragraphs=[
            f"{happened}: on {request.due_at:%Y-%m-%d at %H:%M} UTC, {by}.",
            "If that was you, nothing needs to be done. If not, choose a new password at once.",
        ],
        button=Button(label=label, url=request.url(path)),
        notes=[f"Choose a new password: {request.url('/forgot')}"],
    )
