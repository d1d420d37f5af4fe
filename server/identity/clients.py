"""The client of a sign-in, and what users are shown of it: browser, system, and network instead of the address.

The `User-Agent` is a text of the client's own. What is read from it serves recognition and decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from storage.devices import Device

UNKNOWN = "unknown"
MAX_USER_AGENT = 300  # characters that are kept

# The first that is found counts: most browsers name the browsers that they resemble as well.
_BROWSERS = (
    (re.compile(r"\bEdg(?:e|A|iOS)?/"), "Edge"),
    (re.compile(r"\bOPR/|\bOpera\b|\bOPT/"), "Opera"),
    (re.compile(r"\bSamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"\bVivaldi/"), "Vivaldi"),
    (re.compile(r"\bYaBrowser/"), "Yandex Browser"),
    (re.compile(r"\bDuckDuckGo/|\bDdg/"), "DuckDuckGo"),
    (re.compile(r"\bFirefox/|\bFxiOS/|\bFocus/"), "Firefox"),
    (re.compile(r"\b(?:Headless)?Chrom(?:e|ium)/|\bCriOS/"), "Chrome"),
    (re.compile(r"\bVersion/[\d.]+ .*\bSafari/"), "Safari"),
    (re.compile(r"\bcurl/"), "curl"),
    (re.compile(r"\bokhttp/"), "okhttp"),
    (re.compile(r"\bPython\b|\bpython-|\baiohttp/"), "Python"),
    (re.compile(r"\bGo-http-client/"), "Go"),
)
_SYSTEMS = (
    (re.compile(r"\biPhone\b|\biPod\b"), "iPhone"),
    (re.compile(r"\biPad\b"), "iPad"),
    (re.compile(r"\bAndroid\b"), "Android"),
    (re.compile(r"\bCrOS\b"), "ChromeOS"),
    (re.compile(r"\bWindows\b"), "Windows"),
    (re.compile(r"\bMacintosh\b|\bMac OS X\b"), "macOS"),
    (re.compile(r"\bLinux\b|\bX11\b"), "Linux"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """Client of a request: its network address, its `User-Agent`, its language, and its device token, if it has one."""

    address: str
    user_agent: str = ""
    device_token: str = ""
    language: str = ""

    @property
    def name(self) -> str:
        """Return what the client is called in sentences, as "Firefox on Linux"."""
        return str(device_name(self.user_agent))

    @property
    def device(self) -> Device:
        """Return what is kept of the client with a session."""
        # A header field may have any bytes, which are lone surrogates in the text, and a NUL cannot be stored.
        text = self.user_agent.encode(errors="surrogateescape").decode(errors="replace").replace("\0", "")
        return Device(user_agent=text[:MAX_USER_AGENT], network=network_of(self.address), language=self.language)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceName:
    """Browser, or program, and system of a client, each "unknown" if it is not among the common ones."""

    browser: str
    system: str

    def __str__(self) -> str:
        if self.browser == UNKNOWN:
            return "An unknown device" if self.system == UNKNOWN else f"An unknown program on {self.system}"
        return self.browser if self.system == UNKNOWN else f"{self.browser} on {self.system}"


def device_name(user_agent: str) -> DeviceName:
    """Return the browser and the system that a `User-Agent` names."""
    text = user_agent[:MAX_USER_AGENT]

    def first(names: tuple[tuple[re.Pattern[str], str], ...]) -> str:
        return next((name for pattern, name in names if pattern.search(text)), UNKNOWN)

    return DeviceName(browser=first(_BROWSERS), system=first(_SYSTEMS))


def network_of(address: str) -> str:
    """Return the network of an address, the /24 in IPv4 and the /48 in IPv6; "" for what is no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))
