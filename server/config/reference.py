"""The settings as text: a commented `config.toml`, the reference in Markdown, and the values in effect."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from server.config.loading import variable_of
from server.config.redaction import MASK, redact_text
from server.config.section import Section
from server.config.settings import Settings

_WIDTH = 100


def sections() -> Iterator[tuple[str, type[Section]]]:
    """Yield every section's name and class, in order."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield name, field.annotation


def toml() -> str:
    """Return a `config.toml` in which every key stands, commented out, with its default."""
    lines = [
        "# PicShare's settings. Every key is shown with its default; take the # away to change it.",
        "# The environment goes before this file: PICSHARE_SERVER__PORT=9000 sets server.port.",
        "# Made by `picshare config --as toml`.",
    ]
    for name, section in sections():
        lines += ["", f"[{name}]", f"# {_summary(section)}"]
        for key, field in section.model_fields.items():
            lines += ["", *textwrap.wrap(field.description or "", _WIDTH, initial_indent="# ", subsequent_indent="# ")]
            lines.append(f"#{key} = {_literal(field.default)}" if field.default is not None else f"#{key} =")
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """Return the reference of all keys, the text of `docs/configuration.md`."""
    lines = [
        "# Configuration",
        "",
        "Settings are read from the command line, then from the environment, then from `config.toml` (named by",
        "`--config` or `PICSHARE_CONFIG`, else `./config.toml`, which may be missing), then from the defaults",
        "below. An unknown or mistyped key stops the start with a sentence that names it. `picshare config` prints",
        "what is in effect. This page is made by `picshare config --as markdown`.",
    ]
    for name, section in sections():
        lines += ["", f"## [{name}]", "", _summary(section), "", "| key | default | meaning |", "|---|---|---|"]
        for key, field in section.model_fields.items():
            default = f"`{_literal(field.default)}`" if field.default is not None else "none"
            meaning = f"{field.description} Environment: `{variable_of(f'{name}.{key}')}`."
            lines.append(f"| `{key}` | {default} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def effective(settings: Settings) -> str:
    """Return the values in effect as TOML, with secrets and passwords masked."""
    lines: list[str] = []
    for name, section in sections():
        lines += [f"[{name}]"] if not lines else ["", f"[{name}]"]
        values: Section = getattr(settings, name)
        for key in section.model_fields:
            value = getattr(values, key)
            lines.append(f"#{key} =" if value is None else f"{key} = {_literal(value)}")
    return "\n".join(lines) + "\n"


def _summary(section: type[Section]) -> str:
    return (section.__doc__ or "").split("\n", 1)[0]


def _literal(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case SecretStr():
            return json.dumps(MASK)
        case tuple():
            return "[" + ", ".join(_literal(item) for item in value) + "]"
        case Path():
            return json.dumps(str(value))
        case FieldInfo():
            raise TypeError("a default, not a field")
        case _:
            return json.dumps(redact_text(str(value)), ensure_ascii=False)
