"""Short descriptions of connection errors; the same text for the same cause, so that they can be counted."""

from __future__ import annotations

import os
import socket
import ssl

UNTRUSTED = "the server's certificate is not trusted"


def reason_of(error: BaseException) -> str:
    """Return a description of an error of the network or of TLS."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"{UNTRUSTED}: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case TimeoutError():
            return "timed out"
        case socket.gaierror():
            return (error.strerror or str(error)).lower()
        case OSError() if error.errno:
            # Event loops add their own text with the address, which would make each one different.
            return os.strerror(error.errno).lower()
        case _:
            return str(error) or type(error).__name__
