"""The plan, its split among processes, and the limits of this machine."""

from __future__ import annotations

import resource
from collections import Counter
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import machine
from loadtest.errors import LoadTestError
from loadtest.plan import Plan, Share, assign_owners, complete, shares, split
from loadtest.profiles import PROFILES, ProfileName
from loadtest.target import base_url, live_urls, tls_context
from loadtest.traffic.storm import moments


def plan(**fields: Any) -> Plan:
    """Return a plan with some fields."""
    name = ProfileName.STORM
    return Plan(**{"url": "http://x", "live": ("ws://x",), "profile_name": name, "profile": PROFILES[name], **fields})


@pytest.mark.parametrize(
    ("sockets", "processes", "users"),
    [
        (40, 1, 2),
        (41, 1, 3),  # 41 / 20 = 2.05
        (40, 2, 4),  # two users in each process at least
        (140, 3, 9),  # 47 sockets in the first process: three users in each
        (1, 4, 2),  # one socket takes one process
        (10_000, 2, 500),
    ],
)
def test_as_few_users_as_needed(sockets: int, processes: int, users: int) -> None:
    """Each user has at most 20 sockets, and each process has at least two users."""
    assert complete(plan(sockets=sockets, processes=processes)).users == users


def test_too_few_tokens_are_refused() -> None:
    """The sentence names the number of users that are needed."""
    with pytest.raises(LoadTestError, match="need 5 users"):
        complete(plan(sockets=100, tokens=(("a", ""), ("b", ""))))


def test_invalid_numbers_are_refused() -> None:
    """Infinity and NaN, which pass a comparison with a bound; and two kinds of users at once."""
    for name in ("rate", "seconds", "patience"):
        with pytest.raises(LoadTestError, match="finite"):
            complete(plan(**{name: float("nan")}))
    with pytest.raises(LoadTestError, match="either --users"):
        complete(plan(users=7, tokens=(("a", ""),)))


@given(st.integers(1, 3000), st.integers(1, 8), st.integers(0, 400), st.integers(1, 30))
def test_no_user_has_more_sockets_than_allowed(sockets: int, processes: int, users: int, sockets_per_user: int) -> None:
    """For any request, all sockets are assigned evenly, and rates and users add up."""
    asked = complete(
        plan(sockets=sockets, processes=processes, users=users, sockets_per_user=sockets_per_user, rate=100.0)
    )
    parts = shares(asked, run="r", began=0.0)
    assert sum(part.sockets for part in parts) == sockets
    assert sum(part.users for part in parts) == asked.users >= users
    assert sum(part.rate for part in parts) == pytest.approx(100.0)
    for part in parts:
        assert part.users >= 2
        assert max(Counter(assign_owners(part.sockets, part.users)).values()) <= sockets_per_user


def test_each_token_is_assigned_once() -> None:
    """Each process gets users of its own, and a share is unchanged after the pipe."""
    tokens = tuple((f"t{number}", "") for number in range(5))
    parts = shares(complete(plan(sockets=50, processes=2, tokens=tokens)), run="r", began=1.5)
    assert [part.tokens for part in parts] == [list(tokens[:3]), list(tokens[3:])]
    assert Share.from_wire(msgpack.unpackb(msgpack.packb(parts[1].to_wire()))) == parts[1]


def test_a_split_is_even() -> None:
    """10 in 3 parts are 4, 3 and 3."""
    assert split(10, 3) == [4, 3, 3]


@pytest.mark.parametrize(
    ("every", "seconds", "at"),
    [
        (10.0, 30.0, [10.0, 20.0]),  # a third one at 30 s would leave no time to come back
        (10.0, 36.0, [10.0, 20.0, 30.0]),
        (10.0, 6.0, [3.0]),  # shorter than the interval: one in the middle
        (0.0, 30.0, []),
    ],
)
def test_when_storms_begin(every: float, seconds: float, at: list[float]) -> None:
    """They begin at the interval, the last one at least half an interval before the end."""
    assert moments(every, seconds) == at


def test_the_file_limit_is_raised_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 sockets in 2 processes need 2,500 files each and 300 others; the error says what to do."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    machine.allow_files(5000, 2)
    assert limits[-1] == (2800, 4096)
    with pytest.raises(LoadTestError, match=r"needs 10,300 open files.* allows 4,096\. Use --processes 3,"):
        machine.allow_files(10_000, 1)  # 10,000 / (4,096 − 300) = 2.6


def test_the_loopback_network_provides_as_many_addresses_as_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """28,232 ports less a margin of 1,000: 60,000 sockets need three addresses, for two endpoints two."""
    ports = tmp_path / "range"
    ports.write_text("32768\t60999\n")
    monkeypatch.setattr(machine, "PORTS_FILE", ports)
    assert machine.choose_sources("127.0.0.1", 27_232, 1, ()) == ()
    assert machine.choose_sources("localhost", 60_000, 1, ()) == ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert machine.choose_sources("127.0.0.1", 60_000, 2, ()) == ("127.0.0.1", "127.0.0.2")
    with pytest.raises(LoadTestError, match="60,000 sockets need 3 source addresses"):
        machine.choose_sources("photos.example.com", 60_000, 1, ())
    with pytest.raises(LoadTestError, match="need 3 source addresses"):
        machine.choose_sources("127.0.0.1", 60_000, 1, ("127.0.0.1", "127.0.0.2"))


@pytest.mark.parametrize(("source", "words"), [("nix", "not an IP address"), ("203.0.113.1", "not an address of this")])
def test_a_source_must_be_a_local_address(source: str, words: str) -> None:
    """A source address that this machine does not have is refused before anything starts."""
    with pytest.raises(LoadTestError, match=words):
        machine.choose_sources("photos.example.com", 10, 1, (source,))


@pytest.mark.parametrize("url", ["ftp://x", "photos.example.com", "http://", "http://x:99999", "http://x/?a=1", ""])
def test_an_invalid_address_is_refused(url: str) -> None:
    """The sentence repeats the argument."""
    with pytest.raises(LoadTestError, match="address"):
        base_url(url)


def test_live_endpoints_are_derived_from_the_address() -> None:
    """An https address gives a wss one with the path; other endpoints may be given either way."""
    base = base_url("https://photos.example.com/")
    assert base == "https://photos.example.com"
    assert live_urls(base, ()) == ("wss://photos.example.com/connection/websocket",)
    assert live_urls(base, ["http://a:1", "wss://b/connection/websocket"]) == (
        "ws://a:1/connection/websocket",
        "wss://b/connection/websocket",
    )
    with pytest.raises(LoadTestError, match="not a live endpoint"):
        live_urls(base, ["ftp://x"])


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    """A missing file and one without certificates give one sentence."""
    file = tmp_path / "ca.pem"
    with pytest.raises(LoadTestError, match="not a file of trusted certificates"):
        tls_context(file, insecure=False)
    file.write_text("no certificate")
    with pytest.raises(LoadTestError, match="not a file of trusted certificates"):
        tls_context(file, insecure=False)


def test_profiles_are_complete() -> None:
    """Each name has a profile, and only `idle` causes no publications."""
    assert set(PROFILES) == set(ProfileName)
    assert [name for name, profile in PROFILES.items() if profile.quiet] == [ProfileName.IDLE]
