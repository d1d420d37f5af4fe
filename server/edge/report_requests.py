"""Models of the bodies and queries about reports, cases and decisions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from server.edge.fields import Id
from server.edge.requests import ListQuery, RequestModel
from storage import texts
from storage.reports import CaseAction, Category, SubjectKind

_LONG = 2000  # characters of a text by a moderator, or of an appeal

ReportText = Annotated[str, Field(max_length=1000), AfterValidator(texts.multi_line)]
OptionalText = Annotated[str, Field(max_length=_LONG), AfterValidator(texts.multi_line)]
RequiredText = Annotated[str, Field(max_length=_LONG), AfterValidator(texts.multi_line), Field(min_length=1)]

# In place, because parameters refer to no component of the document.
_Kind = Annotated[SubjectKind, WithJsonSchema({"type": "string", "enum": [kind.value for kind in SubjectKind]})]


class ReportOf(RequestModel):
    """Why something is reported; `text` is for the moderators."""

    category: Category
    text: ReportText = ""


class ReportCreate(ReportOf):
    """A report of a photo, comment or user."""

    kind: SubjectKind
    id: Id


class CasesQuery(ListQuery):
    """A page of cases: those that are not closed by priority, closed ones newest first. `mine` are the viewer's own."""

    state: Literal["active", "open", "escalated", "closed"] = "active"
    kind: _Kind | None = None
    mine: bool = False


class CaseUpdate(RequestModel):
    """A change of a case; fields that are left out stay unchanged.

    `assigned_to` is the id of a moderator or null. An `escalated` case is for administrators; `note` says why.
    """

    assigned_to: Id | None = None
    state: Literal["open", "escalated"] | None = None
    note: OptionalText = ""

    @property
    def assigns(self) -> bool:
        """Return whether the assignment is given, null as well."""
        return "assigned_to" in self.model_fields_set


class DecisionCreate(RequestModel):
    """A decision, which closes the case.

    The account concerned is told `reason`, `rule` and `facts`; `note` is internal. `reason` may be empty only without
    an action. Without `rule` it is the category of the case.
    """

    action: CaseAction
    rule: Category | None = None
    reason: OptionalText = Field("", validate_default=True)
    facts: OptionalText = ""
    note: OptionalText = ""

    @field_validator("reason")
    @classmethod
    def _explained(cls, reason: str, info: ValidationInfo) -> str:
        # An action that is not valid is a message of its own.
        if not reason and info.data.get("action", CaseAction.NONE) is not CaseAction.NONE:
            raise ValueError("Say why. The account concerned reads it.")
        return reason


class ReversalCreate(RequestModel):
    """Why a decision is undone, which the account concerned can read."""

    reason: RequiredText


class AppealCreate(RequestModel):
    """Why the account concerned regards a decision as wrong."""

    text: RequiredText


class AppealAnswer(RequestModel):
    """The answer to an appeal; `reverted` undoes the action of the decision."""

    outcome: Literal["upheld", "reverted"]
    answer: RequiredText
