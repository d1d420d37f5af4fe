"""Certificate of a server: loaded from files, replaced while the server runs, and watched for its end.

Each load makes a new TLS context, so a broken file, or a key that does not fit, leaves the former pair as it was. The
sockets that are open keep the context with which they began.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from cryptography import x509
from cryptography.x509.oid import NameOID

from server.errors import CertificateError

log = structlog.get_logger(__name__)

INTERVAL = 5.0  # seconds between two looks at the files
SOON = timedelta(days=14)  # before its end a certificate should have been renewed, or a sixth of a shorter lifetime


@dataclass(frozen=True, kw_only=True)
class Validity:
    """From when to when a certificate is valid, and for which names."""

    names: tuple[str, ...]
    begins: datetime
    ends: datetime

    @property
    def domain(self) -> str:
        """Return the first of the names."""
        return self.names[0] if self.names else "?"

    @property
    def lifetime(self) -> timedelta:
        """Return how long the certificate is valid in all."""
        return self.ends - self.begins

    def ends_soon(self, now: datetime) -> bool:
        """Return whether the certificate should have been renewed by now."""
        return self.ends - now < min(SOON, self.lifetime / 6)


class CertificateMetrics(Protocol):
    """Metrics of the server's certificate."""

    def certificate_loaded(self, validity: Validity) -> None:
        """Record the certificate that is used from now on."""
        ...

    def certificate_refused(self) -> None:
        """Record files that could not be used."""
        ...


class ServerCertificate:
    """The certificate and key in two PEM files; `context` is for new connections, and None while there is no pair.

    With `optional` the files may be missing at first, as before the first certificate is issued.
    """

    def __init__(self, certificate: Path, key: Path, metrics: CertificateMetrics, *, optional: bool = False) -> None:
        self._files = (certificate, key)
        self._metrics = metrics
        self._optional = optional
        self._seen: object = None
        self.context: ssl.SSLContext | None = None
        self.validity: Validity | None = None

    def load(self) -> None:
        """Load the files; raise `CertificateError`, after which the former pair is still used."""
        # Before they are read: if they change meanwhile, the next look finds another state and loads them again.
        self._seen = self._state()
        if self._optional and self._seen is None:
            return
        try:
            context, validity = read_pair(*self._files)
        except CertificateError:
            self._metrics.certificate_refused()
            raise
        self.context, self.validity = context, validity
        self._metrics.certificate_loaded(validity)
        log.info("certificate_loaded", domain=validity.domain, ends=validity.ends.isoformat())
        if validity.ends_soon(datetime.now(UTC)):
            log.warning("certificate_ends", domain=validity.domain, ends=validity.ends.isoformat())

    def reload(self) -> None:
        """Load the files again; log what is wrong with them and keep the former pair."""
        try:
            self.load()
        except CertificateError as error:
            log.error("certificate_refused", error=str(error))  # noqa: TRY400 - the file is wrong, not the program

    async def run(self) -> None:
        """Load the files whenever they change, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            if await asyncio.to_thread(self._state) != self._seen:
                self.reload()

    def _state(self) -> object:
        """Return what changes when either file is written or replaced; None if one is missing."""
        try:
            # The target of a link is meant: certbot and Kubernetes replace links.
            found = [path.stat() for path in self._files]
        except OSError:
            return None
        return tuple((item.st_ino, item.st_mtime_ns, item.st_size) for item in found)


def read_pair(certificate: Path, key: Path) -> tuple[ssl.SSLContext, Validity]:
    """Return the TLS context of a pair, for TLS 1.2 and 1.3, and its validity; raise `CertificateError`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password the library would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
        validity = validity_of(certificate.read_bytes())
    except ssl.SSLError as error:
        raise CertificateError(f"{certificate} and {key} cannot be used: {_reason(error, key)}.") from error
    except OSError as error:
        raise CertificateError(f"{certificate} or {key} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CertificateError(f"{certificate} has no certificate: {error}.") from error
    return context, validity


def validity_of(pem: bytes) -> Validity:
    """Return the validity of the first certificate in a PEM text; raise `ValueError`."""
    first = x509.load_pem_x509_certificates(pem)[0]
    return Validity(names=_names(first), begins=first.not_valid_before_utc, ends=first.not_valid_after_utc)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        subjects = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(item.value) for item in subjects)
    return tuple(str(name.value) for name in names)


def _reason(error: ssl.SSLError, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    # The library says only that it cannot read a file, which may be another one by now.
    with contextlib.suppress(OSError):
        if b"ENCRYPTED" in key.read_bytes():
            return "the key is encrypted"
    return "one of them has no complete PEM text of its kind"
