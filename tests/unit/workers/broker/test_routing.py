"""Every topic is bound to queues, and RabbitMQ is set up from the same table."""

from __future__ import annotations

import pytest

from storage.events import TOPICS
from workers.broker.rabbitmq.topology import Topology
from workers.broker.routing import BINDINGS, FORMER_BINDINGS, QUEUES, RELAY, queues_of, relay_of


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_bound(topic: str) -> None:
    """Every event that is emitted is delivered to a queue."""
    assert queues_of(topic)
    assert relay_of(topic) == (RELAY,)


def test_every_bound_topic_exists() -> None:
    """No binding has a topic that is never emitted."""
    assert {topic for topics in BINDINGS.values() for topic in topics} <= set(TOPICS)


def test_an_unknown_topic_goes_nowhere() -> None:
    """An unbound topic is not passed to the relay either."""
    assert queues_of("no.such") == ()
    assert relay_of("no.such") == ()


def test_rabbitmq_has_the_same_bindings() -> None:
    """Each worker queue is bound to its topics, and no other queue to any."""
    specs = Topology(prefix="p.").queues([1.0, 0.5])
    assert {spec.name: tuple(spec.topics) for spec in specs if spec.topics} == {
        f"p.{queue}": topics for queue, topics in BINDINGS.items()
    }
    assert len(specs) == len({spec.name for spec in specs}) == len(QUEUES) * 4


def test_a_topic_leaves_a_queue_for_another_one() -> None:
    """Each queue is unbound from its former topics, which are bound to other queues."""
    specs = {spec.name: spec for spec in Topology().queues([1.0])}
    assert {name: tuple(spec.former_topics) for name, spec in specs.items() if spec.former_topics} == {
        "fanout": ("fanout.chunk",),
        "notify": ("user.blocked", "actor.removed"),
    }
    for queue, former in FORMER_BINDINGS.items():
        for topic in former:
            assert queue not in queues_of(topic)


def test_rabbitmq_drops_no_message() -> None:
    """All queues are quorum queues, and dead-letter at least once to a queue that is declared."""
    specs = {spec.name: spec.arguments for spec in Topology().queues([1.0, 600.0])}
    targets = {name: arguments.get("x-dead-letter-routing-key") for name, arguments in specs.items()}
    assert all(arguments["x-queue-type"] == "quorum" for arguments in specs.values())
    assert targets["notify"] == "notify.dead"
    assert targets["notify.retry.1000"] == targets["notify.retry.600000"] == "notify"
    assert targets["notify.dead"] is None
    for name, arguments in specs.items():
        if targets[name] is not None:
            assert targets[name] in specs
            assert arguments["x-dead-letter-exchange"] == ""
            assert arguments["x-dead-letter-strategy"] == "at-least-once"
            assert arguments["x-overflow"] == "reject-publish"
