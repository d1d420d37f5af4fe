"""Reports of the viewer, the decisions about the viewer, and appeals against these."""

from __future__ import annotations

from aiohttp import web

from server.actions.appeals import APPEAL_QUOTA, AppealActions
from server.actions.case_metrics import CaseMetrics
from server.actions.reports import REPORT_QUOTA, ReportActions
from server.edge.api_request import ApiRequest, json_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.report_requests import AppealCreate, ReportCreate, ReportOf
from server.edge.report_responses import AppealResponse, DecisionResponse, ReportResponse
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse
from storage.postgres.reads import Reads
from storage.reports import Category, SubjectKind
from storage.stores.moderation import decisions, reports

_TAG = "reports"


class ReportsApi:
    """`/reports`, `/users/me/reports`, `/users/me/decisions` and `/decisions/{id}`."""

    def __init__(
        self, reads: Reads, cursors: Cursors, actions: ReportActions, appeals: AppealActions, metrics: CaseMetrics
    ) -> None:
        self._reads = reads
        self._cursors = cursors
        self._actions = actions
        self._appeals = appeals
        self._metrics = metrics

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            self._report_endpoint("/reports", SubjectKind.PHOTO, by_body=True),
            self._report_endpoint("/photos/{id}/reports", SubjectKind.PHOTO),
            self._report_endpoint("/comments/{id}/reports", SubjectKind.COMMENT),
            self._report_endpoint("/users/{id}/reports", SubjectKind.USER),
            Endpoint(
                method="GET",
                path="/users/me/reports",
                handler=self.list_,
                summary="List your reports, with their outcomes",
                tag=_TAG,
                query=ListQuery,
                response=ListResponse[ReportResponse],
                while_suspended=True,
            ),
            Endpoint(
                method="GET",
                path="/users/me/decisions",
                handler=self.decisions,
                summary="List the decisions about you and what you have posted",
                tag=_TAG,
                query=ListQuery,
                response=ListResponse[DecisionResponse],
                while_suspended=True,
            ),
            Endpoint(
                method="GET",
                path="/decisions/{id}",
                handler=self.decision,
                summary="Get a decision about you: its reasons, and what you can do",
                tag=_TAG,
                response=DecisionResponse,
                errors=(404,),
                while_suspended=True,
            ),
            Endpoint(
                method="POST",
                path="/decisions/{id}/appeal",
                handler=self.appeal,
                summary="Appeal against a decision about you, once",
                tag=_TAG,
                quota=APPEAL_QUOTA,
                stores=True,
                body=AppealCreate,
                status=201,
                response=AppealResponse,
                errors=(404, 409),
                while_suspended=True,
            ),
        ]

    def _report_endpoint(self, path: str, kind: SubjectKind, *, by_body: bool = False) -> Endpoint:
        async def handler(request: ApiRequest) -> web.Response:
            if by_body:
                form = await request.body(ReportCreate)
                return await self._report(request, form.kind, form.id, form.category, form.text)
            about = await request.body(ReportOf)
            return await self._report(request, kind, request.id(), about.category, about.text)

        what = "photo, comment or user" if by_body else kind.value
        return Endpoint(
            method="POST",
            path=path,
            handler=handler,
            summary=f"Report a {what} to the moderators; a repeated report is answered with the first",
            tag=_TAG,
            quota=REPORT_QUOTA,
            stores=True,
            body=ReportCreate if by_body else ReportOf,
            status=201,
            response=ReportResponse,
            other_responses={200: ReportResponse},
            errors=(404, 409),
        )

    async def _report(
        self, request: ApiRequest, kind: SubjectKind, subject_id: int, category: Category, text: str
    ) -> web.Response:
        filed = await self._actions.add(request.viewer.user_id, kind, subject_id, category=category, text=text)
        if filed.new:
            self._metrics.report_filed(category)
        return json_response(ReportResponse.from_model(filed.report).to_bytes(), status=201 if filed.new else 200)

    async def list_(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/reports`."""
        query, viewer_id = request.query(ListQuery), request.viewer.user_id
        pager = Pager(self._cursors, f"reports of {viewer_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: reports.of_reporter(db, viewer_id, before=before, limit=limit)
        )
        page, next_cursor = pager.cut(found, query.limit, lambda report: report.id)
        return list_response([ReportResponse.from_model(report).to_bytes() for report in page], next_cursor)

    async def decisions(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/decisions`."""
        query, viewer_id = request.query(ListQuery), request.viewer.user_id
        pager = Pager(self._cursors, f"decisions about {viewer_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: decisions.of_owner(db, viewer_id, before=before, limit=limit)
        )
        page, next_cursor = pager.cut(found, query.limit, lambda decision: decision.id)
        return list_response([DecisionResponse.from_model(decision).to_bytes() for decision in page], next_cursor)

    async def decision(self, request: ApiRequest) -> web.Response:
        """Handle `GET /decisions/{id}`."""
        decision_id, viewer_id = request.id(), request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: decisions.get(db, decision_id, owner_id=viewer_id))
        return json_response(DecisionResponse.from_model(found).to_bytes())

    async def appeal(self, request: ApiRequest) -> web.Response:
        """Handle `POST /decisions/{id}/appeal`."""
        form = await request.body(AppealCreate)
        appeal = await self._appeals.add(request.viewer.user_id, request.id(), form.text)
        self._metrics.appeal_filed()
        return json_response(AppealResponse.from_model(appeal).to_bytes(), status=201)
