"""URLs of RabbitMQ with one node or several."""

from __future__ import annotations

import pytest

from workers.broker.amqp_address import node_name, node_urls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://u:p@a/v", ["amqp://u:p@a/v"]),
        ("amqp://a:1, b,c:3/", ["amqp://a:1/", "amqp://b/", "amqp://c:3/"]),
        ("amqps://u:p@a,[::1]:5671/v?x=1", ["amqps://u:p@a/v?x=1", "amqps://u:p@[::1]:5671/v?x=1"]),
        ("amqp://a,a/", ["amqp://a/"]),
        ("amqp:///v", ["amqp:///v"]),
    ],
)
def test_each_node_has_a_url(url: str, expected: list[str]) -> None:
    """User, virtual host and options are those of all; a node counts once."""
    assert node_urls(url) == expected


@pytest.mark.parametrize("url", ["amqp://u:hunter2,x@a:b/", "amqp://u:hunter@2@a/", "amqp://a,,b/", "amqp://a:70000/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """The error repeats no part of it."""
    with pytest.raises(ValueError, match=r"should be|write an @") as caught:
        node_urls(url)
    assert "hunter" not in str(caught.value)


def test_a_name_has_no_password() -> None:
    """It is for errors and logs."""
    assert node_name("amqp://u:hunter2@a:1/v") == "a:1"
