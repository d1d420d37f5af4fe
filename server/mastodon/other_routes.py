"""Preferences, reports, suggestions, and lists that are empty here because PicShare does not have what is in them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from server.actions.case_metrics import CaseMetrics
from server.actions.reports import REPORT_QUOTA, ReportActions
from server.actions.suggestions import QUOTA as SUGGESTION_QUOTA
from server.actions.suggestions import SuggestionActions
from server.edge.report_requests import ReportText
from server.edge.requests import QueryModel
from server.mastodon.account_routes import Ids, id_list
from server.mastodon.accounts import Entity, account
from server.mastodon.endpoint import Handler, Route, route
from server.mastodon.ids import StatusRef, parse_status
from server.mastodon.paging import ACCOUNTS, PageQuery
from server.mastodon.rendering import Renderer
from server.mastodon.request import MastodonRequest, respond
from storage.ids import milliseconds_of
from storage.models import User
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.timestamps import timestamp_of
from storage.reports import Category, SubjectKind
from storage.stores.accounts import users
from storage.stores.discovery import account_suggestions
from storage.stores.discovery.account_suggestions import MadeSuggestions

_EMPTY = {
    "/api/v1/custom_emojis": "",
    "/api/v1/announcements": "read:accounts",
    "/api/v1/filters": "read:filters",
    "/api/v2/filters": "read:filters",
    "/api/v1/conversations": "read:statuses",
    "/api/v1/scheduled_statuses": "read:statuses",
    "/api/v1/endorsements": "read:accounts",
    "/api/v1/featured_tags": "read:accounts",
    "/api/v1/featured_tags/suggestions": "read:accounts",
    "/api/v1/domain_blocks": "read:blocks",
    "/api/v1/directory": "",
    "/api/v1/trends/links": "",
}
_CATEGORIES = {"spam": Category.SPAM, "legal": Category.ILLEGAL, "violation": Category.OTHER, "other": Category.OTHER}


class ReportForm(QueryModel):
    """An account to report, and statuses of it, of which the first is reported."""

    account_id: Annotated[str, Field(max_length=30)]
    status_ids: Annotated[list[Annotated[str, Field(max_length=30)]], Field(max_length=40)] = Field(default=[])
    comment: ReportText = ""
    category: Annotated[str, Field(max_length=40)] = "other"
    rule_ids: Ids = Field(default=[])


class OtherRoutes:
    """What belongs to no other module."""

    def __init__(
        self,
        reads: Reads,
        renderer: Renderer,
        reports: ReportActions,
        suggestions: SuggestionActions,
        metrics: CaseMetrics,
    ) -> None:
        self._reads = reads
        self._renderer = renderer
        self._reports = reports
        self._suggestions = suggestions
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """Return the routes."""
        suggested = "/api/v1/suggestions"
        return [
            *(route("GET", path, _empty, scope) for path, scope in _EMPTY.items()),
            route("GET", "/api/v1/preferences", self.preferences, "read:accounts"),
            route("POST", "/api/v1/reports", self.report, "write:reports", quota=REPORT_QUOTA, stores=True),
            route("GET", suggested, self._suggested(reasons=False), "read:accounts"),
            route("GET", "/api/v2/suggestions", self._suggested(reasons=True), "read:accounts"),
            route("DELETE", f"{suggested}/{{id}}", self.dismiss, "write:accounts", quota=SUGGESTION_QUOTA),
            route("GET", "/api/v1.1/discover/accounts/popular", self._suggested(reasons=False), "read:accounts"),
        ]

    async def preferences(self, request: MastodonRequest) -> web.Response:
        """Return how the viewer wants to post and to read."""
        viewer_id = request.viewer.user_id
        user = await self._reads.read(viewer_id, lambda db: users.get(db, viewer_id))
        return respond(
            {
                "posting:default:visibility": "private" if user.private else "public",
                "posting:default:sensitive": False,
                "posting:default:language": None,
                "reading:expand:media": "default",
                "reading:expand:spoilers": False,
                "reading:autoplay:gifs": True,
            }
        )

    async def report(self, request: MastodonRequest) -> web.Response:
        """Report a status, or the account if none is named."""
        form, viewer_id = await request.form(ReportForm), request.viewer.user_id
        (account_id,) = id_list(form.account_id) or [0]
        kind, subject_id = SubjectKind.USER, account_id
        if form.status_ids:
            ref: StatusRef = parse_status(form.status_ids[0])
            kind, subject_id = (SubjectKind.COMMENT if ref.is_comment else SubjectKind.PHOTO), ref.id
        category = _CATEGORIES.get(form.category, Category.OTHER)
        filed = await self._reports.add(viewer_id, kind, subject_id, category=category, text=form.comment)
        if filed.new:
            self._metrics.report_filed(category)
        accounts = await self._renderer.accounts_in_order([account_id], viewer_id)
        return respond(
            {
                "id": str(filed.report.id),
                "action_taken": False,
                "action_taken_at": None,
                "category": form.category,
                "comment": form.comment,
                "forwarded": False,
                "created_at": timestamp_of(milliseconds_of(filed.report.id)),
                "status_ids": form.status_ids[:1],
                "rule_ids": [],
                "target_account": accounts[0] if accounts else None,
            }
        )

    async def dismiss(self, request: MastodonRequest) -> web.Response:
        """Never suggest an account again."""
        await self._suggestions.dismiss(request.viewer.user_id, request.id())
        return respond({})

    def _suggested(self, *, reasons: bool) -> Handler:
        async def handler(request: MastodonRequest) -> web.Response:
            viewer_id, size = request.viewer.user_id, request.query(PageQuery).size(ACCOUNTS)

            async def read(db: Queryable) -> tuple[MadeSuggestions, dict[int, User]]:
                made = await account_suggestions.read(db, viewer_id)
                ids = [entry.user_id for entry in made.accounts]
                return made, await account_suggestions.suggestible(db, viewer_id, ids) if ids else {}

            made, users_by_id = await self._reads.read(viewer_id, read)
            if made.due:
                await self._suggestions.want(viewer_id)
            shown = [users_by_id[entry.user_id] for entry in made.accounts if entry.user_id in users_by_id]
            found = [account(user, self._renderer.links) for user in shown[:size]]
            return respond([_suggestion(each) for each in found] if reasons else found)

        return handler


def _suggestion(found: Entity) -> Entity:
    return {"source": "global", "sources": ["most_followed"], "account": found}


async def _empty(_request: MastodonRequest) -> web.Response:
    return respond([])
