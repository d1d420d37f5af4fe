"""The doctor's check of the certificate that this process would use."""

from __future__ import annotations

from datetime import UTC, datetime

from server.administration.findings import Finding
from server.config.settings import Settings
from server.errors import CertificateError
from server.operation.certificates import Validity, read_pair


def inspect_certificate(settings: Settings, now: datetime | None = None) -> Finding | None:
    """Return a finding about the certificate's files and how long it is valid; None if another program ends TLS."""
    files, ordered = settings.certificate_files, bool(settings.acme.domains)
    if files is None:
        return None
    if ordered and not files[0].exists():
        return _finding("none was issued yet", "Start the service, and look for certificate_not_issued in its log.")
    try:
        _, validity = read_pair(*files)
    except CertificateError as error:
        return _finding(str(error).removesuffix("."), "Put the certificate and the key that belongs to it there.")
    return _judged(validity, now or datetime.now(UTC), ordered=ordered)


def _judged(validity: Validity, now: datetime, *, ordered: bool) -> Finding:
    detail = f"{', '.join(validity.names)}, valid until {validity.ends:%Y-%m-%d %H:%M} UTC"
    if validity.begins > now:
        return _finding(f"{detail}, but not yet", "Check the clock of this machine.")
    if not validity.ends_soon(now):
        return _finding(detail)
    remedy = (
        "Look for certificate_not_issued in the log of the service: it should have been renewed."
        if ordered
        else "Renew it; the service loads the new files by itself."
    )
    return _finding(f"{detail}, which is {'over' if validity.ends <= now else 'soon'}", remedy)


def _finding(detail: str, remedy: str = "") -> Finding:
    return Finding(name="certificate", detail=detail, remedy=remedy)
