"""Mails about changes of how an account is protected, and about sign-ins from new devices."""

from __future__ import annotations

from datetime import datetime

from locales.sentences import Sentence, marked, sentence
from storage.notifications import SecurityEvent
from workers.jobs.mails.mail_requests import MailRequest
from workers.mails.letter import Button, Letter

# Subject, what has happened, and what the user should look at, with the path of that page.
_TEXTS = {
    SecurityEvent.NEW_SIGN_IN: (
        marked("New sign-in to your account"),
        marked("A device that was not used before has signed in to the account {account}"),
        (marked("Show my sessions"), "/settings/sessions"),
    ),
    SecurityEvent.PASSWORD_CHANGED: (
        marked("Your password was changed"),
        marked("The password of the account {account} was changed, and all other devices were signed out"),
        (marked("Show my sessions"), "/settings/sessions"),
    ),
    SecurityEvent.FACTOR_ADDED: (
        marked("Two-factor sign-in was turned on"),
        marked("Sign-ins to the account {account} ask for a code as well from now on"),
        (marked("Check my settings"), "/settings/security"),
    ),
    SecurityEvent.FACTOR_REMOVED: (
        marked("Two-factor sign-in was turned off"),
        marked("Sign-ins to the account {account} ask for the password alone from now on"),
        (marked("Check my settings"), "/settings/security"),
    ),
    SecurityEvent.PROVIDER_LINKED: (
        marked("A sign-in provider was linked with your account"),
        marked("The account {account} can also be signed in to with another service from now on"),
        (marked("Check my settings"), "/settings/security"),
    ),
    SecurityEvent.TOKEN_CREATED: (
        marked("An access token was made for your account"),
        marked("A program that has the new access token can use the account {account}"),
        (marked("Show my access tokens"), "/settings/tokens"),
    ),
    SecurityEvent.APPLICATION_CONNECTED: (
        marked("An app was connected with your account"),
        marked("An app was given access to the account {account}"),
        (marked("Show my connected apps"), "/settings/applications"),
    ),
    SecurityEvent.PASSKEY_ADDED: (
        marked("A passkey was added to your account"),
        marked("A new passkey can be used to sign in to the account {account}"),
        (marked("Check my settings"), "/settings/security"),
    ),
}


async def security_notice(request: MailRequest) -> Letter | None:
    """Write a notice; `params` have the `event` and the `device`, which is empty for a change by the operator."""
    event, device = SecurityEvent(request.params["event"]), str(request.params["device"])
    subject, what, (label, path) = _TEXTS[event]
    username = request.recipient.username
    happened = Sentence.made(what, None, {"account": sentence("@{username} on PicShare", username=username)})
    return Letter(
        subject=subject,
        heading=subject,
        paragraphs=[
            _when(happened, device, request.due_at),
            marked("If that was you, nothing needs to be done. If not, choose a new password at once."),
        ],
        button=Button(label=label, url=request.url(path)),
        notes=[sentence("Choose a new password: {url}", url=request.url("/forgot"))],
    )


def _when(happened: Sentence, device: str, time: datetime) -> Sentence:
    if device:
        return sentence("{happened}: on {time}, from {device}.", happened=happened, time=time, device=device)
    return sentence("{happened}: on {time}, by the operator of this service.", happened=happened, time=time)
