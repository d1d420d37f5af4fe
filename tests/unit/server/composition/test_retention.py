"""The operator's table of what is kept for how long matches the settings and the janitor's tasks."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

from server.composition.workers import build_janitor
from server.config.settings import Settings
from server.operation.metrics import Metrics
from tests.support.documents import codes_in, table_rows

# Tasks that repair, count or rebuild, and remove nothing that was kept for a time.
_OTHERS = {
    "revocations", "outbox_due_times", "stuck_photos", "stuck_profile_images", "search_index", "tag_counts",
    "notification_actors", "counters", "trending_photos", "trending_tags", "lost_trends", "stars",
    "case_numbers", "held_photos", "ended_holds", "hash_lists",
}  # fmt: skip


def _rows() -> list[list[str]]:
    return table_rows("docs/operation.md", "Retention")


def _tasks() -> set[str]:
    stores: Any = MagicMock()
    settings = Settings().with_values("auth", secret="x" * 32)
    return {task.name for task in build_janitor(settings, stores, Metrics()).tasks()}


def test_every_task_that_removes_is_in_the_table() -> None:
    """A new task belongs into the table, or among those that repair."""
    listed = {task for row in _rows() for task in codes_in(row[3])}
    assert listed == _tasks() - _OTHERS
    assert _tasks() >= _OTHERS


def test_the_times_are_the_defaults_of_the_settings() -> None:
    """Each setting exists, and its default is the time in the row."""
    settings = Settings()
    named = [(row[1], key) for row in _rows() for key in codes_in(row[2])]
    assert len(named) == 16
    for shown, key in named:
        section, _, name = key.partition(".")
        default = getattr(getattr(settings, section), name)
        number, unit = shown.split()[:2]
        if name == "refresh_ttl":
            default //= 86_400
        assert int(number) == default, key
        assert unit == ("hours" if name.endswith("_hours") else "days"), key


def test_every_setting_of_the_section_is_in_the_table() -> None:
    """None of `[retention]` is missing."""
    listed = {key.partition(".")[2] for row in _rows() for key in codes_in(row[2]) if key.startswith("retention.")}
    assert listed == set(type(Settings().retention).model_fields)
