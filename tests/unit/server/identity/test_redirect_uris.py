"""Redirect URIs of applications."""

from __future__ import annotations

import pytest

from server.identity.redirect_uris import OUT_OF_BAND, checked, host_of, is_registered, with_parameters


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback",
        "https://app.example",
        "https://app.example:8443/a?b=c",
        "http://127.0.0.1/callback",
        "http://[::1]:7000/",
        "http://localhost:3000/callback",
        "com.example.app:/callback",
        "ivory://oauth",
        "oauth2redirect://com.keylesspalace.tusky/",
        OUT_OF_BAND,
        "https://app.example/" + "x" * 980,
    ],
)
def test_uris_that_can_be_registered(uri: str) -> None:
    """Those of websites, of programs on the own device, and of installed applications; they stay as they are."""
    assert checked(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "app.example/callback",
        "/callback",
        "//app.example",
        "http://app.example/callback",
        "http://127.0.0.1.evil.example/",
        "https:///callback",
        "http://[::1]evil.example/",
        "https://app.example%2f.evil.example/",
        "https://app.example%E3%80%82evil.example/",
        "https://app.example;.evil.example/",
        "https://*.app.example/",
        "https://.app.example/",
        "search-ms:query=x",
        "ms-msdt:/x",
        "feed:javascript:alert(1)",
        "https://app.example/#fragment",
        "https://app.example/#",
        "https://user@app.example/",
        "https://app.example\\@evil.example/",
        "app://app.example\\x",
        "app://user@app.example/",
        "https://app.example:port/",
        "https://[::1/",
        "HTTPS://app.example/",
        "https://app.example/\n",
        "https://app.example/ x",
        "https://\u0430pp.example/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "blob:https://app.example/1",
        "urn:x",
        "intent://x#Intent;end",
        "https://app.example/" + "x" * 981,
    ],
)
def test_uris_that_cannot_be_registered(uri: str) -> None:
    """What is not encrypted, what browsers act upon, and what two programs could read in two ways."""
    with pytest.raises(ValueError, match=r"redirect URI|Use https"):
        checked(uri)


def test_uris_are_compared_as_texts() -> None:
    """No prefix, pattern, case or default port counts."""
    registered = ["https://app.example/callback", "app:/x"]
    assert is_registered("https://app.example/callback", registered)
    for uri in ("https://app.example/callback?", "https://app.example:443/callback", "https://APP.example/callback"):
        assert not is_registered(uri, registered)
    assert not is_registered("app:/y", registered)


@pytest.mark.parametrize(
    ("uri", "registered", "expected"),
    [
        ("http://127.0.0.1:5/cb", "http://127.0.0.1/cb", True),
        ("http://127.0.0.1:5/cb", "http://127.0.0.1:7/cb", True),
        ("http://[::1]:5/cb", "http://[::1]/cb", True),
        ("http://127.0.0.1:5", "http://127.0.0.1", True),
        ("http://127.0.0.1:5?a=b", "http://127.0.0.1?a=b", True),
        ("http://127.0.0.1:5/other", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:5/?a=http://127.0.0.1:6/", "http://127.0.0.1:8/?a=http://127.0.0.1:7/", False),
        ("http://127.0.0.1:5@evil.example/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:5.evil.example/cb", "http://127.0.0.1/cb", False),
        ("http://localhost:5/cb", "http://localhost:7/cb", False),
        ("https://127.0.0.1:5/cb", "https://127.0.0.1/cb", False),
        ("https://app.example:5/cb", "https://app.example/cb", False),
        ("http://127.0.0.2:5/cb", "http://127.0.0.1/cb", False),
    ],
)
def test_only_a_loopback_address_may_have_any_port(uri: str, registered: str, expected: bool) -> None:
    """Its program gets the port when it starts (RFC 8252, section 7.3); "localhost" may lead elsewhere."""
    assert is_registered(uri, [registered]) is expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://app.example", "https://app.example?code=a+b%26"),
        ("https://app.example/cb?x=y", "https://app.example/cb?x=y&code=a+b%26"),
        ("app:/x", "app:/x?code=a+b%26"),
        ("app://", "app://?code=a+b%26"),
        ("app://x?y=z", "app://x?y=z&code=a+b%26"),
    ],
)
def test_parameters_are_added_to_the_query(uri: str, expected: str) -> None:
    """The rest of the URI stays as it was registered."""
    assert with_parameters(uri, {"code": "a b&"}) == expected


def test_what_users_see_of_a_redirect() -> None:
    """The host of a website, the scheme of an installed application."""
    assert host_of("https://app.example/cb") == "app.example"
    assert host_of("http://[::1]:7/") == "::1"
    assert host_of("ivory://oauth") == "ivory:"
