"""URLs of PostgreSQL with one server and with several."""

from __future__ import annotations

import pytest

from storage.postgres.address import server_name, server_urls


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("postgresql://u:p@h/db", ["postgresql://u:p@/db?host=h"]),
        ("postgres://h:6000/db?sslmode=require", ["postgres:///db?sslmode=require&host=h&port=6000"]),
        ("postgresql:///db", ["postgresql:///db"]),
        ("postgresql://u@/db?host=/run/pg", ["postgresql://u@/db?host=%2Frun%2Fpg"]),
        ("postgresql://u%40x:a%2Cb@h/db", ["postgresql://u%40x:a%2Cb@/db?host=h"]),
        ("postgresql://h/db?target_session_attrs=any", ["postgresql:///db?host=h&target_session_attrs=any"]),
        ("postgresql://h/db?target_session_attrs=primary", ["postgresql:///db?host=h&target_session_attrs=read-write"]),
    ],
)
def test_one_server(url: str, servers: list[str]) -> None:
    """A URL with one server keeps its options; a required primary has to accept writes."""
    assert server_urls(url) == servers


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@a:1,b:2/db",
        "postgresql://u:p@a:1,b:2/db?target_session_attrs=primary",
        "postgresql://u:p@a:1,b:2/db?target_session_attrs=read-write",
        "postgresql://u:p@/db?host=a,b&port=1,2",
        "postgresql://u:p@a:1,a:1,b:2/db",
    ],
)
def test_of_several_servers_one_that_accepts_writes_is_wanted(url: str) -> None:
    """Each server has a URL of its own, with user, password, database and the requirement."""
    end = "target_session_attrs=read-write"
    assert server_urls(url) == [
        f"postgresql://u:p@/db?host=a&port=1&{end}",
        f"postgresql://u:p@/db?host=b&port=2&{end}",
    ]


def test_other_forms_of_several_servers() -> None:
    """IPv6 addresses, socket directories, one port for all, and servers without a requirement."""
    assert list(map(server_name, server_urls("postgresql://[::1]:1,[fe80::2]/db"))) == ["[::1]:1", "[fe80::2]"]
    assert list(map(server_name, server_urls("postgresql:///db?host=/a,/b"))) == ["/a", "/b"]
    assert list(map(server_name, server_urls("postgresql:///db?host=a,b&port=7"))) == ["a:7", "b:7"]
    assert list(map(server_name, server_urls("postgresql://%2Frun%2Fa:1,b/db"))) == ["/run/a:1", "b"]
    assert server_name("postgresql:///db") == "localhost"
    assert all("=any" in url for url in server_urls("postgresql://a,b/db?target_session_attrs=any"))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:hunter2@a,/db", "each server should be host:port, with commas between them"),
        ("postgresql://u:hunter2@,a/db", "each server should be host:port, with commas between them"),
        ("postgresql://u:hunter2@a:x/db", "each server should be host:port, with commas between them"),
        ("postgresql://u:hunter2@a:70000/db", "a port should be a number from 1 to 65535"),
        ("postgresql://u@/db?host=a,b,c&port=1,2", "there should be one port, or as many as hosts"),
        ("postgresql://u@/db?host=a&port=x", "a port should be a number from 1 to 65535"),
        ("postgresql://u:hunt@er2@a/db", "write an @ in the user or the password as %40"),
        (
            "postgresql://u:hunter2@a,b/db?target_session_attrs=standby",
            "target_session_attrs should be one of read-write, primary, any",
        ),
    ],
)
def test_a_wrong_url_is_explained_without_repeating_it(url: str, sentence: str) -> None:
    """The error says what should be there, and nothing that may be a part of the password."""
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        server_urls(url)
