"""The registry of workers: everything that knows workers by name follows from one entry."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from server.composition.roles import WORKER_ROLES
from server.composition.workers import worker_context, worker_policy
from server.config.settings import Settings
from storage.events import TOPICS
from workers.jobs.context import open_handlers
from workers.jobs.mails.mail import retry_delay
from workers.jobs.upkeep.janitor import LONGEST_DELAY
from workers.registry import WORKERS, WorkerSpec

ROOT = Path(__file__).parents[4]

# Registers a worker before anything else is imported, as an entry in the registry would, and prints what follows.
_TOY = """
import asyncio, json
from workers import registry

toy = registry.WorkerSpec(
    name="toy", help="plays", topics=("like.added",), module="tests.support.toy_worker", concurrency=3,
    concurrency_help="Toys at once by one process.",
)
registry.WORKERS += (toy,)

from server.cli.main import build_app
from server.composition.roles import EVERYTHING, WORKER_ROLES, services_of
from server.composition.workers import worker_policy
from server.config.loading import load_settings
from server.config.reference import markdown, toml
from typer.testing import CliRunner
from workers.broker.rabbitmq.topology import Topology
from workers.broker.routing import queues_of, relay_of
from workers.jobs.context import open_handlers

async def topics():
    async with open_handlers(toy, None) as handlers:
        return sorted(handlers)

settings = load_settings()
help = CliRunner().invoke(build_app(), ["worker", "--help"], env={"TERMINAL_WIDTH": "300"}).output
print(json.dumps({
    "role": WORKER_ROLES["toy"],
    "in everything": "toy" in services_of(EVERYTHING, settings),
    "local queues": list(queues_of("like.added")),
    "relayed": list(relay_of("like.added")),
    "rabbitmq": {spec.name: list(spec.topics) for spec in Topology().queues([1.0]) if "toy" in spec.name},
    "help": "toy plays" in help,
    "concurrency": worker_policy("toy", settings).concurrency,
    "config.toml": "#toy_concurrency = 3" in toml(),
    "reference": "Toys at once by one process. Environment: `PICSHARE_WORKER__TOY_CONCURRENCY`." in markdown(),
    "handlers": asyncio.run(topics()),
}))
"""


def test_one_entry_makes_a_worker(tmp_path: Path) -> None:
    """A new entry appears in the roles, both brokers' routing, the command line, the settings and their reference."""
    result = subprocess.run(
        [sys.executable, "-c", _TOY],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PICSHARE_WORKER__TOY_CONCURRENCY": "5"},
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "role": "plays",
        "in everything": True,
        "local queues": ["notify", "webhooks", "toy"],
        "relayed": ["relay"],
        "rabbitmq": {"toy.dead": [], "toy": ["like.added"], "toy.retry.1000": []},
        "help": True,
        "concurrency": 5,
        "config.toml": True,
        "reference": True,
        "handlers": ["like.added"],
    }


@pytest.mark.parametrize("spec", WORKERS, ids=lambda spec: spec.name)
async def test_every_worker_has_a_handler_for_each_of_its_topics(spec: WorkerSpec) -> None:
    """The handlers of each registered worker can be built, and have the topics of its queue, former ones included."""
    settings = Settings().with_values("worker", **{f"{spec.name}_concurrency": 1})
    settings = settings.with_values("auth", secret="s" * 40)
    context = worker_context(spec.name, settings, cast(Any, _Stores()))
    async with open_handlers(spec, context) as handlers:
        assert set(handlers) == {*spec.topics, *spec.former_topics} <= set(TOPICS)
    assert not set(spec.topics).intersection(spec.former_topics)


async def test_handlers_of_other_topics_are_refused() -> None:
    """A worker whose handlers and topics differ does not start, and the error names the topics."""
    spec = WorkerSpec(
        name="toy",
        help="plays",
        topics=("like.removed",),
        module="tests.support.toy_worker",
        concurrency=1,
        concurrency_help="",
    )
    with pytest.raises(ValueError, match=r"the worker toy .* like\.added, like\.removed"):
        async with open_handlers(spec, cast(Any, None)):
            pass


def test_default_concurrency_comes_from_the_registry() -> None:
    """Without a setting, a worker runs as many jobs at once as its entry says."""
    assert [worker_policy(spec.name, Settings()).concurrency for spec in WORKERS] == [
        2,
        8,
        16,
        2,
        1,
        2,
        4,
        1,
        1,
        1,
        1,
        1,
        4,
        4,
        8,
        4,
        1,
        1,
    ]


def test_the_operators_guide_lists_every_worker() -> None:
    """The table of processes in the guide has a row for each role of `picshare worker`."""
    guide = (ROOT / "docs" / "scale.md").read_text()
    assert [role for role in WORKER_ROLES if f"| `picshare worker {role}` |" not in guide] == []


def test_mails_are_tried_for_hours() -> None:
    """The queue of mails has more attempts than others, since mail servers ask to come back later."""
    assert worker_policy("mail", Settings()).delivery_limit == 40
    assert worker_policy("notify", Settings()).delivery_limit == 10
    many = Settings().with_values("worker", delivery_limit=50)
    assert worker_policy("mail", many).delivery_limit == 50
    delays, age = [], 0.0
    for _ in range(39):
        delays.append(retry_delay(timedelta(seconds=age)))
        age += delays[-1]
    assert delays[:7] == [30, 30, 60, 120, 240, 480, 600]
    assert max(delays) <= LONGEST_DELAY.total_seconds()
    assert 5 * 3600 < age < 7 * 3600


class _Stores:
    """Any attribute, but never used: handlers are only built."""

    def __getattr__(self, name: str) -> Any:
        return _Stores()

    def __call__(self, *_args: Any) -> Any:
        return self
