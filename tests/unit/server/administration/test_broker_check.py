"""The doctor's check of the broker."""

from __future__ import annotations

import pytest

from server.administration.broker_check import judge_broker
from server.administration.findings import Finding
from server.cli.inspection import show
from workers.broker.routing import QUEUES

EMPTY = {name: 0 for queue in QUEUES for name in (queue, f"{queue}.dead")}


def test_a_broker_without_problems() -> None:
    """The finding has the number of waiting messages, and neither a remedy nor a warning."""
    finding = judge_broker("RabbitMQ", {**EMPTY, "bulk": 2, "media": 1}, [])
    assert finding == Finding(name="broker", detail="RabbitMQ, 3 messages waiting, no dead letters")


@pytest.mark.parametrize(
    ("idle", "warning"),
    [
        (["bulk"], "Nothing consumes bulk (4 waiting): start `picshare worker bulk`."),
        (
            ["media", "notify", "deferred"],
            "Nothing consumes media (0 waiting), notify (0 waiting), deferred (0 waiting): "
            "start `picshare worker media`, `picshare worker notify`.",
        ),
    ],
)
def test_a_queue_without_a_consumer_is_warned_of(idle: list[str], warning: str) -> None:
    """The warning names the workers to start, each once, and what waits for them; it is no failure."""
    finding = judge_broker("RabbitMQ", {**EMPTY, "bulk": 4}, idle)
    assert finding.warning == warning
    assert finding.ok


def test_a_missing_queue_is_a_problem() -> None:
    """The finding names the queues that are not declared."""
    depths = {queue: depth for queue, depth in EMPTY.items() if queue != "bulk"}
    finding = judge_broker("RabbitMQ", depths, ["bulk"])
    assert "without the queues bulk" in finding.detail
    assert not finding.ok


def test_both_remedy_and_warning_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Dead letters do not hide that a worker is missing."""
    show([judge_broker("RabbitMQ", {**EMPTY, "notify.dead": 1}, ["bulk"])])
    printed = capsys.readouterr().out
    assert printed.startswith("FAILED broker: RabbitMQ, 0 messages waiting, 1 dead letters List them")
    assert printed.rstrip().endswith("start `picshare worker bulk`.")
