"""Models of response bodies about the security of an account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from server.edge.responses import Id, ResponseModel, Time
from server.identity.clients import device_name
from storage.ids import encode
from storage.render.timestamps import timestamp
from storage.stores.credentials.passkeys import Passkey
from storage.stores.credentials.session_lists import ListedSession

SessionId = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class DeviceResponse(ResponseModel):
    """The client of a session, by the `User-Agent` that it sent; "unknown" where that is not a common one."""

    browser: str
    system: str


class SessionResponse(ResponseModel):
    """An active session of the viewer. `network` is that of its address, shortened, and null if it is not known.

    `last_seen_at` is when the session was opened or its token was refreshed, which clients do every few minutes.
    """

    id: SessionId
    device: DeviceResponse
    network: str | None
    created_at: Time
    last_seen_at: Time
    current: bool

    @classmethod
    def from_model(cls, session: ListedSession, *, current: str) -> SessionResponse:
        """Return the response for a session."""
        name = device_name(session.user_agent)
        return cls(
            id=session.id,
            device=DeviceResponse(browser=name.browser, system=name.system),
            network=session.network or None,
            created_at=timestamp(session.created_at),
            last_seen_at=timestamp(session.last_seen_at),
            current=session.id == current,
        )


class SessionsResponse(ResponseModel):
    """The active sessions of the viewer, the one that was seen last first, up to 100."""

    items: list[SessionResponse]
    next: None = None


class EndedSessionsResponse(ResponseModel):
    """How many sessions have ended."""

    ended: int


class ReauthenticationResponse(ResponseModel):
    """Until when dangerous steps need no other proof."""

    valid_until: Time

    @classmethod
    def from_model(cls, until: datetime) -> ReauthenticationResponse:
        """Return the response for a time."""
        return cls(valid_until=timestamp(until))


class TotpResponse(ResponseModel):
    """Whether sign-ins ask for a code, since when, and how many recovery codes are left."""

    enabled: bool
    enabled_at: Time | None
    recovery_codes: int


class NewTotpResponse(ResponseModel):
    """A new secret for an authenticator application, also as an `otpauth:` URI and as its QR code in SVG."""

    secret: str
    uri: str
    qr_svg: str


class RecoveryCodesResponse(ResponseModel):
    """New recovery codes, each of which replaces a one-time code once; they are shown only now."""

    recovery_codes: list[str]


class PasskeyResponse(ResponseModel):
    """A passkey of the viewer."""

    id: Id
    name: str
    created_at: Time
    last_used_at: Time | None

    @classmethod
    def from_model(cls, passkey: Passkey) -> PasskeyResponse:
        """Return the response for a passkey."""
        return cls(
            id=encode(passkey.id),
            name=passkey.name,
            created_at=timestamp(passkey.created_at),
            last_used_at=None if passkey.last_used_at is None else timestamp(passkey.last_used_at),
        )


class PasskeysResponse(ResponseModel):
    """The passkeys of the viewer, in the order of their creation."""

    items: list[PasskeyResponse]
    next: None = None


class PasskeyOptionsResponse(ResponseModel):
    """Options for `navigator.credentials`, as `PublicKeyCredential.parse…OptionsFromJSON()` takes them.

    Their challenge is valid for five minutes, and for one answer.
    """

    public_key: dict[str, Any]
