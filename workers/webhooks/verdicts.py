"""Verdicts of moderation services: what they say about a photo, in a response to a message or to the API."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from storage import texts
from storage.moderation import MAX_LABELS, MAX_REASON, MAX_RULE, ModerationAction

_MAX_LABEL = 100  # characters


def _label(value: object) -> str | bool | float:
    """Return a score, a word or a mark; a text of digits is a text, and so no number."""
    if isinstance(value, str) and len(value) <= _MAX_LABEL:
        return texts.single_line(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) <= sys.float_info.max:
        return float(value)
    raise ValueError(f"This should be a text of at most {_MAX_LABEL} characters, a number, true or false.")


# Not a union of models: of those, an error names each.
Label = Annotated[str | bool | float, PlainValidator(_label, json_schema_input_type=str | bool | float)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(texts.single_line)]


class VerdictKind(StrEnum):
    """What a service can say about a photo."""

    ALLOW = "allow"
    HIDE = "hide"
    SENSITIVE = "sensitive"

    @property
    def action(self) -> ModerationAction:
        """Return the decision that it is."""
        return ModerationAction(self.value)


class Verdict(BaseModel):
    """A verdict about a photo.

    `reason` is text for its author, `rule` names what was broken, and `labels` are the service's own findings, for
    moderators.
    """

    model_config = ConfigDict(frozen=True)

    verdict: VerdictKind
    reason: Annotated[str, Field(max_length=MAX_REASON), AfterValidator(texts.single_line)] = ""
    rule: Annotated[str, Field(max_length=MAX_RULE), AfterValidator(texts.single_line)] = ""
    labels: Annotated[dict[Name, Label], Field(max_length=MAX_LABELS)] = Field(default_factory=dict)


class BadVerdictError(ValueError):
    """Raised for a response that has a verdict which cannot be used; the text is for the owner of the webhook."""


class PhotoDeletedError(Exception):
    """Raised for the verdict of a service about a photo that is deleted by now."""

    def __init__(self) -> None:
        super().__init__("The photo was deleted, so that no verdict about it is needed.")


def verdict_in(body: bytes) -> Verdict | None:
    """Return the verdict in the body of a response, None for any body without one; raise `BadVerdictError`.

    A body has one if it is a JSON object with the member `verdict`.
    """
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("verdict") is None:
        return None
    try:
        return Verdict.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        # The sentences of our own validators have a prefix of pydantic, and its own have no full stop.
        text = first["msg"].removeprefix("Value error, ").removesuffix(".")
        raise BadVerdictError(f"The verdict in the response is not used: {place}: {text}.") from error
