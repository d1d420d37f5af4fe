"""What users are shown of the clients of their sessions."""

from __future__ import annotations

import pytest

from server.identity.clients import MAX_USER_AGENT, Client, device_name, network_of

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_ANDROID = "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"{_WINDOWS} Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{_WINDOWS} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (f"{_WINDOWS} Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0", "Opera on Windows"),
        (f"{_MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15", "Safari on macOS"),
        (f"{_IPHONE} Version/18.4 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{_IPHONE} CriOS/140.0.0.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"{_IPHONE} FxiOS/142.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        (f"{_ANDROID} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"),
        (f"{_ANDROID} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0", "Firefox on Linux"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        ("curl/8.5.0", "curl"),
        ("Python/3.11 aiohttp/3.14.0", "Python"),
        ("SomeApp (Android)", "An unknown program on Android"),
        ("\udcff", "An unknown device"),
        ("", "An unknown device"),
    ],
)  # fmt: skip
def test_devices_have_names(user_agent: str, name: str) -> None:
    """Common browsers and systems are recognised, and everything else is unknown."""
    assert str(device_name(user_agent)) == name


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("unknown", ""),
    ],
)
def test_addresses_are_shortened(address: str, network: str) -> None:
    """A network is kept instead of the address."""
    assert network_of(address) == network


def test_what_is_kept_of_a_client_can_be_stored() -> None:
    """Neither bytes that are no UTF-8 nor a NUL nor a very long text is kept."""
    device = Client(address="192.0.2.1", user_agent="a\0\udcff" + "b" * 9999).device
    assert device.user_agent.startswith("a�b")
    assert len(device.user_agent) == MAX_USER_AGENT
    device.user_agent.encode()
