"""English texts with values in them, which remember of what they were made, so that they can be translated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Value = str | int | datetime

_PLACE = re.compile(r"\{(\w+)\}")


class Sentence(str):
    """A text in English with its template, "{actors} liked your photo", and the values by the names in it.

    `several` is the template for other numbers than one; the number is the value `count`.
    """

    __slots__ = ("several", "template", "values")

    template: str
    several: str | None
    values: Mapping[str, Value]

    @classmethod
    def made(cls, template: str, several: str | None, values: Mapping[str, Value]) -> Sentence:
        """Return the text of a template and its values."""
        chosen = template if several is None or values["count"] == 1 else several
        text = cls(filled(chosen, {name: _english(value) for name, value in values.items()}))
        text.template, text.several, text.values = template, several, values
        return text

    def localized(self) -> dict[str, Any]:
        """Return the template and the values as JSON, so that a client can show the text in another language."""
        values = {
            name: value.localized() if isinstance(value, Sentence) else value for name, value in self.values.items()
        }
        plural = {} if self.several is None else {"several": self.several, "count": self.values["count"]}
        return {"text": self.template, **plural, "values": values}


def sentence(template: str, **values: Value) -> Sentence:
    """Return a text of a template, in which each `{name}` is a value."""
    return Sentence.made(template, None, values)


def counted_sentence(one: str, several: str, count: int, **values: Value) -> Sentence:
    """Return a text about a number of things, `one` of them or `several`; the number is the value `count`."""
    return Sentence.made(one, several, {"count": count, **values})


def marked(text: str) -> Sentence:
    """Return a text, or the template of one, that is translated when it is shown; the mark is for the catalogues."""
    return Sentence.made(text, None, {})


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with the values in their places; a name without a value stays as it is."""
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), template)


def _english(value: Value) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)
