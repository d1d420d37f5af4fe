"""The content of a mail, independent of its form: what the functions in `workers.jobs` write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """The one thing that a mail asks for."""

    label: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """An entry of a list in a mail, as in a digest."""

    title: str
    text: str = ""
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A mail in plain text, without markup; both of its forms are made of it.

    `paragraphs` come before the `items` and the `button`, `notes` in small print after it. `to` is the address if it is
    not that of the account. One that is `to_another` goes to the user of another account, and does not name this one.
    """

    subject: str
    heading: str
    paragraphs: Sequence[str]
    items: Sequence[Item] = ()
    button: Button | None = None
    notes: Sequence[str] = ()
    to: str | None = None
    to_another: bool = False
