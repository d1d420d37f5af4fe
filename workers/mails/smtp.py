"""Mail by SMTP (RFC 5321): one connection for each message, which ends at a deadline."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from workers.mails.port import Envelope, MailDeferredError, MailError, MailRefusedError, MailUnavailableError
from workers.mails.urls import SmtpAddress

TIMEOUT = 30.0  # seconds
_PERMANENT = 500  # the first of the codes that say that another attempt would not help
_STARTTLS: dict[str, bool | None] = {"offered": None, "required": True, "never": False}


class SmtpTransport:
    """Sends mails to a server; each must be over after `timeout` seconds. `local_hostname` is that of EHLO."""

    def __init__(
        self,
        address: SmtpAddress,
        *,
        timeout: float = TIMEOUT,
        local_hostname: str | None = None,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._address = address
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._tls_context = tls_context

    async def send(self, message: EmailMessage, envelope: Envelope) -> None:
        """Send a message; raise `MailDeferredError` or `MailRefusedError`."""
        async with self._connected() as client:
            try:
                await client.send_message(message, sender=envelope.sender, recipients=[envelope.recipient])
            except SMTPNotSupported as error:
                # Of this mail: an address in other letters than ASCII needs the extension SMTPUTF8.
                raise MailRefusedError(f"the mail server does not support what the mail needs: {error}") from error

    async def check(self) -> str:
        """Return the greeting of the server, after signing in if there is a password."""
        async with self._connected() as client:
            await client.noop()
            secured = client.get_transport_info("sslcontext") is not None
            return f"{self._address.host}:{self._address.port} responds{', with TLS' if secured else ''}"

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[SMTP]:
        """Yield a connection that is ready to send; turn every error into one of the port."""
        where = f"{self._address.host}:{self._address.port}"
        client = SMTP(
            hostname=self._address.host,
            port=self._address.port,
            username=self._address.username,
            password=self._address.password,
            local_hostname=self._local_hostname,
            timeout=self._timeout,
            use_tls=self._address.tls,
            start_tls=False if self._address.tls else _STARTTLS[self._address.starttls],
            tls_context=self._tls_context,
        )
        try:
            # In addition to the timeout of each step: a server may answer one line at a time.
            async with asyncio.timeout(self._timeout):
                await client.connect()
                yield client
        except (SMTPException, TimeoutError, OSError, ValueError) as error:
            raise _error_of(error, where) from error
        finally:
            # The message is sent or it is not; how the connection ends makes no difference.
            client.close()


def _error_of(error: Exception, where: str) -> MailError:
    match error:
        case SMTPRecipientsRefused(recipients=[refused, *_]):
            return _error_of(refused, where)
        case SMTPAuthenticationError():
            # Of the settings, and not of this mail: it is sent once the operator has mended them.
            return MailUnavailableError(f"{where} refuses the user and password of mail.url with {error.code}")
        case SMTPResponseException():
            # Only what the server says about the recipient and the content is about this mail.
            final = error.code >= _PERMANENT and isinstance(error, SMTPRecipientRefused | SMTPDataError)
            kind = MailRefusedError if final else MailDeferredError
            return kind(f"{where} answers with {error.code}: {_first_line(error)}")
        case TimeoutError():
            return MailUnavailableError(f"{where} has not answered in time")
        case OSError():
            return MailUnavailableError(f"{where} cannot be reached: {type(error).__name__}")
        case _:
            # For example that STARTTLS is required and not offered.
            return MailUnavailableError(f"{where}: {error}")


def _first_line(error: SMTPResponseException) -> str:
    # Servers quote the recipient's address in their answers, which is not for the log.
    line = (error.message or "").split("\n", 1)[0]
    return " ".join(word for word in line.split() if "@" not in word)[:200]
