"""Models of the bodies about lists of accounts."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from server.edge.requests import RequestModel
from storage import texts

MAX_TITLE = 80  # letters in normal form


def _title(text: str) -> str:
    title = unicodedata.normalize("NFC", texts.single_line(text))
    if not 1 <= len(title) <= MAX_TITLE:
        raise ValueError(f"A title has 1 to {MAX_TITLE} letters; this has {len(title)}.")
    return title


ListTitle = Annotated[
    str, AfterValidator(_title), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TITLE})
]


class AccountListCreate(RequestModel):
    """A new list of accounts, which only you see."""

    title: ListTitle


class AccountListUpdate(RequestModel):
    """The new title of a list."""

    title: ListTitle
