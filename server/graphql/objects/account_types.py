"""The viewer's own account, and what moderation has to do with the viewer."""

from __future__ import annotations

import strawberry

from server.graphql.fields import batch, leaf
from server.graphql.objects.node import Node
from server.graphql.objects.scalars import Json, Time
from server.graphql.objects.user_types import User
from server.graphql.resolution.described import object_type
from server.graphql.resolution.node_ids import NodeKind, node_ids
from storage import models, reports


@object_type
class Account:
    """The viewer's own account and its settings."""

    user: User = leaf(description="The account as others see it.")
    email: str = leaf(description="The e-mail address.")
    email_verified: bool = leaf(description="Whether the user has proven that the address is theirs.")
    role: models.Role = leaf(description="Permissions beyond the account's own data.")
    private: bool = leaf(description="Whether followers alone see the photos.")
    presence: models.PresenceAudience = leaf(description="Who may see whether the user is online.")
    location_metadata: models.LocationMetadata = leaf(
        description="How exactly the positions in the EXIF of new photos are kept, for the user."
    )
    publish_rights: bool = leaf(
        description="Whether new images have the creator and the licence that their files name."
    )
    language: models.LanguageChoice = leaf(description="The language of texts to the user.")
    searchable: bool = leaf(description="Whether a search finds the account and its photos.")
    settings: Json = leaf(description="Settings of clients, in the shape that they choose.")


@object_type
class Report:
    """A report of the viewer."""

    id: strawberry.ID = batch(node_ids(NodeKind.REPORT), description="The id, as `R-01K3S9C0XG4Q7`.")
    kind: reports.SubjectKind = leaf(description="What was reported.")
    subject_id: strawberry.ID = leaf(key="subject", description="The id of what was reported.")
    category: reports.Category = leaf(description="Why it was reported.")
    text: str = leaf(description="What the viewer wrote to the moderators.")
    outcome: reports.ReportOutcome | None = leaf(description="What came of it; null until a moderator has decided.")
    created_at: Time = leaf(description="When it was reported.")
    answered_at: Time | None = leaf(description="When a moderator decided.")


@object_type
class Decision(Node):
    """A decision about the viewer: the statement of its reasons."""

    id: strawberry.ID = batch(node_ids(NodeKind.DECISION), description="The id, as `D-01K3S9C0XG4Q7`.")
    kind: reports.SubjectKind = leaf(description="What it is about.")
    subject_id: strawberry.ID = leaf(key="subject", description="The id of what it is about.")
    action: reports.CaseAction = leaf(description="What the decision does.")
    rule: reports.Category = leaf(description="The ground of the decision.")
    reason: str = leaf(description="Why, in words.")
    facts: str = leaf(description="What the decision relies on.")
    automated: bool = leaf(description="Whether it was made without a person.")
    reverted: bool = leaf(description="Whether its action was undone.")
    reverts: strawberry.ID | None = batch(
        node_ids(NodeKind.DECISION, "reverts"), description="The id of the decision that this one undoes."
    )
    appeal: reports.AppealState | None = leaf(description="The state of an appeal; null without one.")
    redress: str | None = leaf(description="What the viewer can do.")
    created_at: Time = leaf(description="When it was made.")


@object_type
class Appeal:
    """An appeal of the viewer against a decision."""

    text: str = leaf(description="Why the viewer regards the decision as wrong.")
    state: reports.AppealState = leaf(description="Whether it was answered, and how.")
    answer: str = leaf(description="The answer; empty until there is one.")
    created_at: Time = leaf(description="When the appeal was made.")
    answered_at: Time | None = leaf(description="When it was answered.")
