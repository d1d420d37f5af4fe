"""The URL of a mail server, as `smtp://user:password@mail.example.com:587`."""

from __future__ import annotations

from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.policy import SMTP
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

CONSOLE = "console:"
_PORTS = {"smtp": 587, "smtps": 465}
_NO_SENDER = "it should be an address, as PicShare <no-reply@example.com>"
_STARTTLS = ("offered", "required", "never")


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpAddress:
    """A mail server. With `tls` the connection begins with it, otherwise `starttls` says when it is switched to it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False
    starttls: str = "offered"


def parse_smtp(url: str) -> SmtpAddress:
    """Return the mail server of a URL; raise `ValueError` with what is wrong with it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("it should have a host and a port, as smtp://mail.example.com:587") from error
    if parts.scheme not in _PORTS:
        raise ValueError("it should begin with smtp://, smtps:// or console:")
    if not parts.hostname:
        raise ValueError("it should name a host, as smtp://mail.example.com:587")
    if parts.path.strip("/") or parts.fragment:
        raise ValueError("it should have nothing behind the port but ?starttls=")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("it should have a user and a password, or none of both")
    tls = parts.scheme == "smtps"
    return SmtpAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=tls,
        # A password must not be sent in the clear because something in between hides that TLS is offered.
        starttls=_starttls(parts.query, "required" if parts.username and not _is_local(parts.hostname) else "offered"),
    )


def parse_sender(text: str) -> Address:
    """Return the address of a text such as `PicShare <no-reply@example.com>`; raise `ValueError` for any other."""
    try:
        # The parser of the library fails in several ways on some texts that are none.
        header = SMTP.header_factory("from", text if text.isprintable() else "")
        addresses: tuple[Address, ...] = header.addresses
    except (ValueError, LookupError, AttributeError, MessageError) as error:
        raise ValueError(_NO_SENDER) from error
    if header.defects or len(addresses) != 1 or not addresses[0].username or not addresses[0].domain:
        raise ValueError(_NO_SENDER)
    return addresses[0]


def _starttls(query: str, default: str) -> str:
    values = parse_qs(query, keep_blank_values=True)
    if not values:
        return default
    value = values.pop("starttls", [""])[-1]
    if values or value not in _STARTTLS:
        raise ValueError(f"its only option is starttls, which is one of {', '.join(_STARTTLS)}")
    return value


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
