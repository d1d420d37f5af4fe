"""Settings of certificates: what belongs together, what contradicts, and the address that follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from server.composition.certificates import build_tls, require_certificates
from server.config.settings import Settings
from server.errors import ConfigError
from server.operation.metrics import Metrics

FILES = {"tls_certificate": "/etc/picshare/certificate.pem", "tls_key": "/etc/picshare/key.pem"}


@pytest.mark.parametrize(
    ("server", "acme", "url"),
    [
        ({}, {}, "http://127.0.0.1:8080"),
        (FILES, {}, "https://127.0.0.1:8080"),
        ({**FILES, "host": "photos.example", "port": 443}, {}, "https://photos.example"),
        ({"port": 443}, {"domains": "a.example,b.example"}, "https://a.example"),
        ({**FILES, "public_url": "https://photos.example"}, {}, "https://photos.example"),
    ],
    ids=["plain", "files", "usual-port", "acme", "named"],
)
def test_a_service_with_tls_is_at_https(server: dict[str, object], acme: dict[str, object], url: str) -> None:
    """Cookies are Secure and browsers insist on HTTPS by this address."""
    assert Settings().with_values("server", **server).with_values("acme", **acme).public_url == url


@pytest.mark.parametrize(
    "values",
    [{"tls_key": "key.pem"}, {"tls_certificate": "certificate.pem"}, {**FILES, "public_url": "http://photos.example"}],
    ids=["key-alone", "certificate-alone", "plain-address"],
)
def test_settings_of_files_that_contradict_each_other_are_refused(values: dict[str, object]) -> None:
    """A certificate needs its key, and the address of a service with TLS is not plain."""
    with pytest.raises(ValidationError, match=r"set together|should not be set"):
        Settings().with_values("server", **values)


def test_a_certificate_is_either_given_or_ordered() -> None:
    """With both, or with an address without TLS, the start fails with one sentence."""
    ordered = Settings().with_values("acme", domains="a.example")
    require_certificates(ordered)
    for values in (FILES, {"public_url": "http://a.example"}):
        with pytest.raises(ConfigError, match=r"cannot both be set|begins with http://"):
            require_certificates(ordered.with_values("server", **values))


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is no traceback."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'picshare\[acme\]'"):
        require_certificates(Settings().with_values("acme", domains="a.example"))


@pytest.mark.parametrize("domain", ["*.a.example", "A.example", "a_b.example", "a..example", "https://a.example"])
def test_a_domain_is_the_name_of_a_host(domain: str) -> None:
    """Wildcards, which need another challenge, and addresses are refused."""
    with pytest.raises(ValidationError, match="is not a name of a host"):
        Settings().with_values("acme", domains=domain)


def test_the_certificate_of_acme_may_be_missing_at_first(tmp_path: Path) -> None:
    """The process starts, renews and answers challenges; without settings there is no TLS."""
    assert build_tls(Settings(), Metrics()) is None
    parts = build_tls(Settings().with_values("acme", domains="a.example", storage=tmp_path), Metrics())
    assert parts is not None
    assert parts.certificate.context is None
    assert set(parts.services) == {"certificate", "renewal"}
    assert parts.plain is not None
