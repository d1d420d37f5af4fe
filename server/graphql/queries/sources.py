"""Values of objects that belong to the viewer alone, from the JSON of the REST API."""

from __future__ import annotations

from typing import Any

from server.edge.list_responses import AccountListResponse
from server.edge.report_responses import DecisionResponse, ReportResponse
from server.edge.responses import AccountResponse
from server.graphql.resolution.context import Source
from server.graphql.resolution.node_ids import NodeKind
from storage import models, reports


def account_source(user: models.User) -> Source:
    """Return the value of the viewer's account."""
    fields = AccountResponse.from_model(user).model_dump()
    return {**fields, "user": fields}


def list_source(found: models.AccountList) -> Source:
    """Return the value of a list of accounts."""
    return AccountListResponse.from_model(found).model_dump()


def report_source(report: reports.Report) -> Source:
    """Return the value of a report."""
    return _with_subject(ReportResponse.from_model(report).model_dump())


def decision_source(decision: reports.Decision) -> Source:
    """Return the value of a decision."""
    return _with_subject(DecisionResponse.from_model(decision).model_dump())


def _with_subject(fields: dict[str, Any]) -> Source:
    kind = NodeKind[reports.SubjectKind(fields["kind"]).name]
    return {**fields, "subject": f"{kind.letter}-{fields['subject_id']}"}
