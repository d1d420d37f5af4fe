"""Errors of sign-in, sessions and rate limits; `server.edge.problems` maps each to an HTTP response.

IdentityError
├── WrongCredentialsError  an unknown username or a wrong password
├── DeletionPendingError   the account is deleted, and that can still be undone
├── WrongPasswordError     a password that confirms something is wrong
├── SecondFactorRequiredError  the password is right, and a code is needed as well
├── ChallengeError         a challenge of a sign-in that is not valid, or not any more
├── WrongCodeError         a one-time or recovery code that is wrong or was used
├── PasskeyError           an answer of an authenticator that is not accepted
├── ReauthenticationRequiredError  a dangerous step, and the user was not authenticated a moment ago
├── RefreshTokenError      a refresh token that cannot be exchanged
├── SessionRevokedError    an access token whose session has ended
├── InsufficientScopeError  the token of an application does not permit the request
├── OAuthError             a request of an application that OAuth does not allow
│   └── AuthorizationRefusedError  one for an authorization, which its redirect URI is informed of
├── SessionRequiredError   a request that no token of an application permits
├── AccountSuspendedError  the account is suspended; what its user may still do is named
├── LinkInvalidError       a link of a mail is not complete, or is for something else
├── LinkUsedError          a link of a mail was used before
├── LinkExpiredError       a link of a mail is too old
├── NotPermittedError      the role of the account does not allow the request
├── SignInExpiredError     a sign-in with a provider took too long, was used before, or began in another browser
├── ProviderRefusedError   the provider has not signed the user in
├── AccountRequiredError   the provider has named a user who has no account yet
├── PasswordsBusyError     too many passwords wait to be hashed
└── RateLimitedError       a rate limit is used up
    └── NewAccountLimitedError  one that applies to new accounts
"""

from __future__ import annotations

from datetime import datetime

from locales.sentences import sentence
from server.identity.rate_limits import Charge


class IdentityError(Exception):
    """Base of this package's errors; the message is shown to the user."""


class WrongCredentialsError(IdentityError):
    """There is no account with this username and password; `charge` is what the try cost."""

    def __init__(self, charge: Charge) -> None:
        super().__init__("The username or the password is wrong.")
        self.charge = charge


class DeletionPendingError(IdentityError):
    """The account was deleted by its owner, who can undo that until `due_at`; `charge` is what the try cost."""

    def __init__(self, charge: Charge, due_at: datetime) -> None:
        super().__init__(sentence("You have deleted this account. Until {until} you can undo that.", until=due_at))
        self.charge = charge
        self.due_at = due_at


class WrongPasswordError(IdentityError):
    """The password with which a signed-in user confirms something is wrong; `charge` is what the try cost."""

    def __init__(self, charge: Charge) -> None:
        super().__init__("The password is wrong.")
        self.charge = charge


class SignInExpiredError(IdentityError):
    """A sign-in with a provider took too long, was used before, or began in another browser."""

    def __init__(self) -> None:
        super().__init__("This sign-in is not valid any more. Start again.")


class ProviderRefusedError(IdentityError):
    """The provider has not signed the user in, for example because the user has declined."""

    def __init__(self) -> None:
        super().__init__("The provider has not signed you in.")


class AccountRequiredError(IdentityError):
    """The provider has named a user who has no account yet; the fields are what it says about the user, or empty."""

    def __init__(self, *, provider: str, email: str, email_verified: bool, display_name: str, username: str) -> None:
        super().__init__("You have no account yet. Choose a username to create one.")
        self.provider = provider
        self.email = email
        self.email_verified = email_verified
        self.display_name = display_name
        self.username = username


class SecondFactorRequiredError(IdentityError):
    """The password is right, and the account asks for a code; `challenge` is to be sent with it."""

    def __init__(self, charge: Charge, challenge: str) -> None:
        super().__init__("Enter the code of your authenticator application, or a recovery code.")
        self.charge = charge
        self.challenge = challenge


class ChallengeError(IdentityError):
    """The challenge of a sign-in is unknown, expired or used."""

    def __init__(self) -> None:
        super().__init__("This sign-in is not valid any more. Begin again.")


class WrongCodeError(IdentityError):
    """A one-time code or recovery code is wrong, or was used; `charge` is what the try cost."""

    def __init__(self, charge: Charge) -> None:
        super().__init__("The code is wrong or was used before.")
        self.charge = charge


class PasskeyError(IdentityError):
    """The answer of an authenticator is not accepted."""


class ReauthenticationRequiredError(IdentityError):
    """A dangerous step, for which the user must have been authenticated a moment ago."""

    def __init__(self) -> None:
        super().__init__("Confirm first that it is you: by your password, a code or a passkey.")


class RefreshTokenError(IdentityError):
    """A refresh token is unknown, expired, used before, or belongs to a deleted account."""


class SessionRevokedError(IdentityError):
    """The session of an access token has ended."""

    def __init__(self) -> None:
        super().__init__("This session has ended. Sign in again.")


class InsufficientScopeError(IdentityError):
    """The token of an application does not permit the request; `scope` would."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            sentence("This access token does not permit the request. It needs the scope {scope}.", scope=scope)
        )
        self.scope = scope


class SessionRequiredError(IdentityError):
    """The request concerns the security of the account, which no token of an application permits."""

    def __init__(self) -> None:
        super().__init__("Tokens of applications do not permit this request. Sign in to PicShare itself for it.")


class OAuthError(IdentityError):
    """A request of an application that OAuth does not allow; `code` is one of RFC 6749, section 5.2."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


class SecretReusedError(OAuthError):
    """A code or refresh token was exchanged twice, so it may have been stolen; what it gave has ended."""

    def __init__(self, description: str) -> None:
        super().__init__("invalid_grant", description)


class AuthorizationRefusedError(OAuthError):
    """A request for an authorization is not valid; the application is informed at `redirect_to`, unless it has none."""

    def __init__(self, code: str, description: str, redirect_to: str | None) -> None:
        super().__init__(code, description)
        self.redirect_to = redirect_to


class PasswordsBusyError(IdentityError):
    """Too many passwords are being checked at this moment; a later try can succeed."""


class RateLimitedError(IdentityError):
    """A rate limit is used up; `charge.quota.retry_after` is the time in seconds until the next request passes."""

    def __init__(self, charge: Charge) -> None:
        wait = max(1, charge.quota.retry_after_whole)
        super().__init__(
            sentence('The rate limit "{name}" is used up. Try again in {wait} s.', name=charge.policy.name, wait=wait)
        )
        self.charge = charge


class NewAccountLimitedError(RateLimitedError):
    """A limit that applies to new accounts alone is used up."""

    def __init__(self, charge: Charge) -> None:
        super().__init__(charge)
        policy, wait = charge.policy, max(1, charge.quota.retry_after_whole)
        self.args = (
            sentence(
                "Your account is new, so a lower limit applies ({limit} in {seconds} s). It ends after some time, "
                "sooner with some photos of your own. Try again in {wait} s.",
                limit=policy.limit,
                seconds=f"{policy.window_seconds:g}",
                wait=wait,
            ),
        )


class AccountSuspendedError(IdentityError):
    """The account is suspended; `token` is for the requests that its user may still send, None without a sign-in."""

    def __init__(self, token: str | None = None) -> None:
        super().__init__(
            "This account is suspended. You can read the decision, appeal against it, and export your data."
        )
        self.token = token


class NotPermittedError(IdentityError):
    """The role of the account does not allow the request; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LinkInvalidError(IdentityError):
    """The token of a link is not known for this purpose."""

    def __init__(self) -> None:
        super().__init__("This link is not valid. Open it as it is in the mail, or request a new one.")


class LinkUsedError(IdentityError):
    """The token of a link was used before, or has been replaced by what its user did."""

    def __init__(self) -> None:
        super().__init__("This link was used before. If you need another one, request it.")


class LinkExpiredError(IdentityError):
    """The token of a link is too old."""

    def __init__(self) -> None:
        super().__init__("This link has expired. Request a new one.")
