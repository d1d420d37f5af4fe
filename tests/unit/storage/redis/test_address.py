"""URLs of Redis: those of clusters, and which address each node gets."""

from __future__ import annotations

import pytest

from storage.redis.address import cluster_nodes, is_cluster
from storage.redis.client import open_redis
from storage.redis.cluster import ClusterConnections


@pytest.mark.parametrize(
    ("url", "first", "nodes"),
    [
        ("redis+cluster://a:1,b:2", "redis://a:1", [("a", 1), ("b", 2)]),
        ("redis+cluster://a, b", "redis://a:6379", [("a", 6379), ("b", 6379)]),
        ("redis+cluster://u:p%2C%40@a:1,[::1]:2/0", "redis://u:p%2C%40@a:1/0", [("a", 1), ("::1", 2)]),
        ("rediss+cluster://:p@[::1]:2/?ssl_ca_certs=/x,y", "rediss://:p@[::1]:2/?ssl_ca_certs=/x,y", [("::1", 2)]),
        ("redis+cluster://a?socket_keepalive=1", "redis://a:6379?socket_keepalive=1", [("a", 6379)]),
    ],
)
def test_nodes(url: str, first: str, nodes: list[tuple[str, int]]) -> None:
    """User, password and options are kept in the first node's URL, and every node has its port."""
    assert is_cluster(url)
    assert cluster_nodes(url) == (first, nodes)


@pytest.mark.parametrize("url", ["redis://a", "rediss://a", "unix:///run/redis", "redis+clusters://a"])
def test_urls_of_single_servers(url: str) -> None:
    """The URL of a single server is not a cluster's."""
    assert not is_cluster(url)


@pytest.mark.parametrize(
    "nodes", ["", "a:1,", "a:x", "a:70000", "u:hunter,2@a:x", "u:hunter/2@a:1", "a:1/2", "a:1/x", "[::1"]
)
def test_invalid_cluster_urls(nodes: str) -> None:
    """A URL without nodes, or with a database number, is refused; the error does not repeat a password."""
    with pytest.raises(ValueError, match=r"host:port|Invalid") as caught:
        cluster_nodes(f"redis+cluster://{nodes}")
    assert "hunter" not in str(caught.value)


async def test_all_nodes_share_credentials_and_tls() -> None:
    """Every node's address has the user, password and TLS settings of the URL."""
    client = open_redis("rediss+cluster://u:p%2C@a:1,b:2/?ssl_check_hostname=false")
    assert isinstance(client, ClusterConnections)
    first, second = client.seeds
    assert (first.host, first.port, second.host, second.port) == ("a", 1, "b", 2)
    for seed in (first, second):
        assert (seed.username, seed.password) == ("u", "p,")
        assert seed.tls is not None
        assert not seed.tls.check_hostname
    await client.aclose()
