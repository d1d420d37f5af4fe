"""Whom a load test trusts at the other end of TLS."""

from __future__ import annotations

import ssl


def trust(ca: str | None, *, insecure: bool) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those in the PEM file `ca`; insecure, everybody."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cafile=ca)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
