"""Change the viewer's account, report to the moderators, and appeal against decisions."""

from __future__ import annotations

from typing import Annotated

import strawberry

from server.edge.problem import bad_field
from server.edge.report_requests import AppealCreate, ReportCreate
from server.edge.report_responses import AppealResponse
from server.edge.requests import AccountUpdate
from server.graphql.mutations.writes import given, option
from server.graphql.objects.scalars import Json
from server.graphql.queries.sources import account_source, report_source
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import input_type
from server.graphql.resolution.node_ids import NodeKind, parse
from storage.ids import encode
from storage.models import LanguageChoice, LocationMetadata, PresenceAudience
from storage.reports import Category, SubjectKind

_SUBJECTS = {
    NodeKind.PHOTO: SubjectKind.PHOTO,
    NodeKind.COMMENT: SubjectKind.COMMENT,
    NodeKind.USER: SubjectKind.USER,
}


@input_type
class AccountChanges:
    """Changes of the account; what is left out stays unchanged."""

    username: str | None = option("The name in addresses and mentions; a former one finds the account for 30 days.")
    display_name: str | None = option("The name that is shown.")
    bio: str | None = option("What you say about yourself.")
    private: bool | None = option("Whether followers alone see the photos.")
    presence: PresenceAudience | None = option("Who may see whether you are online.")
    location_metadata: LocationMetadata | None = option("How exactly the positions of new photos are kept, for you.")
    publish_rights: bool | None = option("Whether new images have the creator and the licence that their files name.")
    language: LanguageChoice | None = option("The language of texts to you, also in mails and notifications.")
    searchable: bool | None = option("Whether a search finds the account and its photos.")
    settings: Json | None = option("Settings of clients, in the shape that they choose.")


async def update_profile(context: RequestContext, changes: AccountChanges) -> Source:
    """Change the account and its settings."""
    form = AccountUpdate.model_validate(given(changes))
    user = await context.actions.accounts.update(
        context.request.viewer.user_id,
        username=form.username,
        display_name=form.display_name,
        bio=form.bio,
        private=form.private,
        presence=form.presence,
        location_metadata=form.location_metadata,
        publish_rights=form.publish_rights,
        language=form.language,
        searchable=form.searchable,
        settings=form.settings,
    )
    return {"account": account_source(user)}


async def report(
    context: RequestContext,
    subject: Annotated[strawberry.ID, strawberry.argument(description="The id of a photo, a comment or a user.")],
    category: Annotated[Category, strawberry.argument(description="Why it is reported.")],
    text: Annotated[str, strawberry.argument(description="What the moderators should know.")] = "",
) -> Source:
    """Report something to the moderators."""
    kind, subject_id = parse(subject, "subject")
    if kind not in _SUBJECTS:
        raise bad_field("subject", "Photos, comments and users can be reported. Use the id of one of these.")
    form = ReportCreate.model_validate(
        {"kind": _SUBJECTS[kind], "id": encode(subject_id), "category": category, "text": text}
    )
    filed = await context.actions.reports.add(
        context.request.viewer.user_id, form.kind, form.id, category=form.category, text=form.text
    )
    if filed.new:
        context.services.case_metrics.report_filed(form.category)
    return {"report": report_source(filed.report)}


async def appeal_decision(
    context: RequestContext,
    decision: Annotated[strawberry.ID, strawberry.argument(description="The id of a decision about you.")],
    text: Annotated[str, strawberry.argument(description="Why you regard the decision as wrong.")],
) -> Source:
    """Appeal against a decision."""
    form = AppealCreate.model_validate({"text": text})
    appeal = await context.actions.appeals.add(
        context.request.viewer.user_id, NodeKind.DECISION.decode(decision, "decision"), form.text
    )
    context.services.case_metrics.appeal_filed()
    return {"appeal": AppealResponse.from_model(appeal).model_dump()}
