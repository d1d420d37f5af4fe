"""The certificate of this process: from files, or ordered by ACME; None if another program ends TLS."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from server.acme.challenges import Challenges, plain_app
from server.config.settings import Settings
from server.errors import ConfigError
from server.operation.certificates import ServerCertificate
from server.operation.lifecycle import Run
from server.operation.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class TlsParts:
    """The certificate, the services that keep it valid, and the application of plain HTTP if it is ordered by ACME."""

    certificate: ServerCertificate
    services: dict[str, Run]
    plain: web.Application | None = None


def require_certificates(settings: Settings) -> None:
    """Raise `ConfigError` if the settings of certificates contradict each other, or a library is missing."""
    if not settings.acme.domains:
        return
    if settings.server.tls_certificate is not None:
        raise ConfigError("server.tls_certificate and acme.domains cannot both be set: remove one of them.")
    if settings.public_url.startswith("http://"):
        raise ConfigError("server.public_url begins with http://, but with acme.domains the service uses https.")
    if importlib.util.find_spec("acme") is None:
        raise ConfigError("acme.domains needs a library that is missing: run pip install 'picshare[acme]'.")


def build_tls(settings: Settings, metrics: Metrics) -> TlsParts | None:
    """Return the parts of TLS in this process, with the certificate loaded; raise `ConfigError`, `CertificateError`."""
    files = settings.certificate_files
    if files is None:
        return None
    section = settings.acme
    certificate = ServerCertificate(*files, metrics, optional=bool(section.domains))
    certificate.load()
    services: dict[str, Run] = {"certificate": certificate.run}
    if not section.domains:
        return TlsParts(certificate=certificate, services=services)
    # The library is that of an extra.
    from server.acme.order import AcmeAccount, order_certificate  # noqa: PLC0415
    from server.acme.renewal import Renewal  # noqa: PLC0415

    folder = files[0].parent
    challenges = Challenges(folder / "challenges")
    account = AcmeAccount(directory=section.directory, key_file=folder / "account.pem", email=section.email)
    order = partial(order_certificate, account, section.domains, challenges)
    services["renewal"] = Renewal(certificate, files, section.domains, order, metrics).run
    return TlsParts(certificate=certificate, services=services, plain=plain_app(challenges, settings.public_url))
