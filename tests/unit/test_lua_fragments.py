"""Lua scripts keep to their package: storage has no registry or pub/sub, channels no logs or caches."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channels.bus import addressing
from channels.bus.redis_client import delivery_source

ROOT = Path(__file__).parents[2]
SCRIPTS = {package: sorted((ROOT / package).rglob("*.lua")) for package in ("storage", "channels")}
STORAGE_FILES = [path for path in (ROOT / "storage").rglob("*") if path.suffix in {".lua", ".py"}]

# What only the live layer may know: its keys, its channels, how it publishes, and the head of its envelope.
LIVE_NAMES = [
    addressing.registry_key(0),
    addressing.present_key(0),
    addressing.last_seen_key(0),
    addressing.channel_prefix(0),
    addressing.topic_channel("photo:1"),
    addressing.PROCESSES_KEY,
]
LIVE_KNOWLEDGE = [
    *(re.escape(name.decode().split(":")[0] + ":") + r"(\{|processes)" for name in LIVE_NAMES),
    r"\bS?PUBLISH\b",
    r"\bpublish\s*\(",
    re.escape(">BI8I4"),
]
STORAGE_KNOWLEDGE = [r"\b(feed|notes|card|count|liked|quota|revoked):", r"\bGETRANGE\b", r"\bSETRANGE\b"]


def faults_of(source: str, patterns: list[str]) -> list[str]:
    """Return the patterns that occur in a source."""
    return [pattern for pattern in patterns if re.search(pattern, source)]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_scripts_are_found() -> None:
    """Both packages have scripts to read, so that a renamed folder does not pass unread."""
    assert all(SCRIPTS.values())


def test_storage_does_not_know_live_delivery() -> None:
    """No file of storage names a key, a channel, a publishing command or the envelope of the live layer."""
    faults = {_name(path): faults_of(path.read_text(), LIVE_KNOWLEDGE) for path in STORAGE_FILES}
    assert {name: found for name, found in faults.items() if found} == {}


@pytest.mark.parametrize("path", SCRIPTS["channels"], ids=_name)
def test_channels_does_not_know_storage(path: Path) -> None:
    """No script of channels names a key of storage or edits a log."""
    assert faults_of(path.read_text(), STORAGE_KNOWLEDGE) == []


@pytest.mark.parametrize(
    "source",
    [
        "redis.call('PUBLISH', channel, message)",
        "if publish(prefix .. process, message) == 0 then",
        "local registry = 'online:{' .. group .. '}'",
        'prefix = b"live:{%d}:" % group',
        "redis.call('ZSCORE', 'live:processes', process)",
        "struct.pack('>BI8I4', 1, offset, #users)",
    ],
)
def test_live_knowledge_is_detected(source: str) -> None:
    """The patterns match each way in which storage could know live delivery."""
    assert faults_of(source, LIVE_KNOWLEDGE)


@pytest.mark.parametrize("function", ["publish", "deliver"])
def test_delivery_is_defined_by_channels(function: str) -> None:
    """The functions that publish are defined once for each kind of server, in the scripts of channels."""
    definition = re.compile(rf"\bfunction {function}\b")
    paths = [_name(path) for scripts in SCRIPTS.values() for path in scripts if definition.search(path.read_text())]
    folder = "channels/bus/scripts"
    expected = {"publish": [f"{folder}/publish.lua", f"{folder}/spublish.lua"], "deliver": [f"{folder}/deliver.lua"]}
    assert paths == expected[function]


@pytest.mark.parametrize(("sharded", "command"), [(False, "'PUBLISH'"), (True, "'SPUBLISH'")])
def test_delivery_source_fits_the_server(sharded: bool, command: str) -> None:
    """The text given to other packages defines `deliver` after the right `publish`, and uses no KEYS or ARGV."""
    source = delivery_source(sharded=sharded)
    code = "\n".join(line.partition("--")[0] for line in source.splitlines())
    assert re.findall(r"'S?PUBLISH'", code) == [command]
    assert code.index("function publish") < code.index("function deliver")
    assert "KEYS" not in code
    assert "ARGV" not in code
