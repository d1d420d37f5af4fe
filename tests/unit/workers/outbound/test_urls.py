"""Which URLs are accepted when they are stored, and what the error says."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from workers.outbound.errors import OutboundError, UrlRefusedError
from workers.outbound.policy import TRUSTED, OutboundPolicy
from workers.outbound.urls import MAX_LENGTH, check_url, check_url_resolves

POLICY = OutboundPolicy()
ANY_PORT = OutboundPolicy(schemes=frozenset({"http", "https"}), ports=None)


class StubResolver:
    """Answers each name with the same addresses."""

    def __init__(self, *addresses: str, error: OutboundError | None = None) -> None:
        self.addresses = addresses
        self.error = error
        self.names: list[str] = []

    async def lookup(self, host: str) -> Sequence[str]:
        """Return the addresses, or raise."""
        self.names.append(host)
        if self.error is not None:
            raise self.error
        return self.addresses


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "https://example.com/",
        "https://hooks.example.com:8443/a/b?c=d%20e&f=%40",
        "HTTPS://EXAMPLE.COM:443/",
        "https://example.com./path",
        "https://bücher.example/ä",
        "https://_dmarc.a-b.example/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://example.com/@user/a:b@c",
        "https://example.com?to=me@example.com",
        "https://1a.example2/",
        "https://service/",
    ],
)
def test_urls_of_public_services(text: str) -> None:
    """Such URLs are accepted, and are the ones that are requested."""
    assert check_url(text, POLICY) == URL(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "should begin with https://"),
        ("example.com", "should begin with https://"),
        ("//example.com/", "should begin with https://"),
        ("http://example.com/", "should begin with https://"),
        ("ftp://example.com/", "should begin with https://"),
        ("file:///etc/passwd", "should begin with https://"),
        ("javascript:alert(1)", "should begin with https://"),
        ("gopher://example.com:443/", "should begin with https://"),
        ("https:///path", "no host"),
        ("https:example.com", "no host"),
        ("https://:443/", "not a URL"),
        ("https://example.com:80/", "should be 443 or 8443"),
        ("https://example.com:0/", "should be 443 or 8443"),
        ("https://example.com:22/", "should be 443 or 8443"),
        ("https://example.com:65536/", "not a URL"),
        ("https://example.com:x/", "not a URL"),
        ("https://user@example.com/", "everything up to the @"),
        ("https://user:password@example.com/", "everything up to the @"),
        ("https://@example.com/", "everything up to the @"),
        ("https://:@example.com/", "everything up to the @"),
        ("https://example.com@127.0.0.1/", "everything up to the @"),
        ("https://good.example@127.0.0.1", "everything up to the @"),
        ("https://example.com/#fragment", "Leave out the #"),
        ("https://127.0.0.1#@good.example/", "Leave out the #"),
        ("https://good.example#@127.0.0.1/", "Leave out the #"),
        ("https://good.example\\@127.0.0.1/", "backslash"),
        ("https:\\\\127.0.0.1\\", "backslash"),
        ("https://exa mple.com/", "space"),
        (" https://example.com/", "space"),
        ("https://example.com/\r\nHost: x", "control character"),
        ("https://exam\tple.com/", "control character"),
        ("https://example.com/\x00", "control character"),
        ("https://example.com/\u2028", "control character"),
        ("https://127.0.0.1/", "loopback"),
        ("https://127.0.0.1:8443/x", "loopback"),
        ("https://10.1.2.3/", "private"),
        ("https://169.254.169.254/latest/meta-data/", "metadata"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:127.0.0.1]/", "loopback"),
        ("https://[::ffff:7f00:1]/", "loopback"),
        ("https://[fd00:ec2::254]/", "metadata"),
        ("https://[64:ff9b::7f00:1]/", "loopback"),
        ("https://[fe80::1%25eth0]/", "link-local"),
        ("https://[fe80::1%eth0]/", "link-local"),
        ("https://[v1.fe80::a]/", "not an address"),
        ("https://１２７.０.０.１/", "loopback"),
        ("https://127。0。0。1/", "loopback"),
        ("https://⑯⑨。②⑤④。⑯⑨｡②⑤④/", "metadata"),
        ("https://0x7f.1/", "not an address"),
        ("https://0x7f000001/", "not an address"),
        ("https://2130706433/", "not an address"),
        ("https://127.1/", "not an address"),
        ("https://0177.0.0.1/", "not an address"),
        ("https://127.0.0.1./", "not an address"),
        ("https://127.0.0.1../", "is not a name"),
        ("https://1.2.3.4.5/", "not an address"),
        ("https://256.0.0.1/", "not an address"),
        ("https://8.8.8.08/", "not an address"),
        ("https://example.0x7f/", "not an address"),
        ("https://localhost/", "no public address"),
        ("https://LOCALHOST./", "no public address"),
        ("https://a.localhost/", "no public address"),
        ("https://ⓛocalhost/", "no public address"),
        ("https://%6cocalhost/", "is not a name"),
        ("https://127%2e0.0.1/", "not an address"),
        ("https://a..b/", "is not a name"),
        ("https://-a.example/", "is not a name"),
        ("https://a;b/", "is not a name"),
        ("https://a,b.example/", "is not a name"),
        ("https://" + "a" * 64 + ".example/", "is not a name"),
        ("https://" + "a." * 130 + "example/", "is not a name"),
        ("https://example.com/" + "a" * MAX_LENGTH, "at most 2048"),
    ],
)
def test_urls_that_are_refused(text: str, message: str) -> None:
    """Each URL is refused with a sentence that names the fault."""
    with pytest.raises(UrlRefusedError, match=message):
        check_url(text, POLICY)


def test_the_policy_decides() -> None:
    """Other schemes, ports and networks are accepted if the policy has them."""
    policy = OutboundPolicy(
        schemes=frozenset({"http", "https"}), ports=frozenset({80, 8000}), allowed_networks=(ip_network("127.0.0.0/8"),)
    )
    for text in ("http://example.com/", "http://127.0.0.1:8000/", "http://localhost/"):
        assert check_url(text, policy) == URL(text)
    with pytest.raises(UrlRefusedError, match="https:// or http://"):
        check_url("ftp://example.com", policy)
    with pytest.raises(UrlRefusedError, match="80 or 8000"):
        check_url("http://example.com:81/", policy)
    with pytest.raises(UrlRefusedError, match="from 1 to 65535"):
        check_url("http://example.com:0/", ANY_PORT)


def test_addresses_of_the_operator_are_trusted() -> None:
    """What only the settings contain may be anywhere, except at a metadata service."""
    assert check_url("http://localhost:9000/purge", TRUSTED).port == 9000
    assert check_url("https://[fd00::1]/", TRUSTED).host == "fd00::1"
    with pytest.raises(UrlRefusedError, match="metadata"):
        check_url("http://169.254.169.254/", TRUSTED)


async def test_all_addresses_of_a_name_must_be_allowed() -> None:
    """A name is accepted if all its addresses are public, and not if one is private."""
    resolver = StubResolver("8.8.8.8", "2606:4700:4700::1111")
    assert await check_url_resolves("https://example.com/x", POLICY, resolver) == URL("https://example.com/x")
    assert resolver.names == ["example.com"]
    with pytest.raises(UrlRefusedError, match="no public address"):
        await check_url_resolves("https://example.com/", POLICY, StubResolver("8.8.8.8", "10.0.0.1"))


async def test_the_error_discloses_nothing_of_the_network() -> None:
    """The text is the same for a name without addresses, one with a private address, and one that does not resolve."""
    resolvers = [
        StubResolver(),
        StubResolver("10.0.0.1"),
        StubResolver("169.254.169.254"),
        StubResolver(error=OutboundError("dns", "the name intranet has no address")),
    ]
    texts = set()
    for resolver in resolvers:
        with pytest.raises(UrlRefusedError) as caught:
            await check_url_resolves("https://intranet/", POLICY, resolver)
        texts.add(str(caught.value))
    assert len(texts) == 1
    assert "10.0.0.1" not in texts.pop()


async def test_an_address_is_not_looked_up() -> None:
    """A literal address is judged as it is."""
    resolver = StubResolver("10.0.0.1")
    assert await check_url_resolves("https://8.8.8.8/", POLICY, resolver) == URL("https://8.8.8.8/")
    assert await check_url_resolves("https://[2606:4700::1]/", POLICY, resolver) == URL("https://[2606:4700::1]/")
    assert resolver.names == []


@example("[]@")
@given(st.text(alphabet=st.sampled_from("htps:/@.#?%[]\\ \t0127xflocalhst.。１二ⓛ-_a"), max_size=30))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    """No text raises another error, and what is accepted has neither a forbidden address nor hidden parts."""
    try:
        url = check_url("https://" + text, POLICY)
    except UrlRefusedError:
        return
    assert url.scheme == "https"
    assert url.raw_host
    assert not url.raw_host.removesuffix(".").endswith("localhost")
    assert (url.user, url.password, url.fragment) == (None, None, "")
