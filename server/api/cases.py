"""`/moderation`: the cases, decisions and appeals of moderators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

from server.actions import moderators
from server.actions.appeals import AppealActions
from server.actions.case_metrics import CaseMetrics
from server.actions.cases import MODERATION_QUOTA, CaseActions
from server.api.case_files import CaseFiles
from server.edge.api_request import ApiRequest, json_response, list_response
from server.edge.case_responses import (
    CaseDecisionResponse,
    CaseFileResponse,
    CaseResponse,
    PendingAppealResponse,
    case_appeal,
    case_decision,
    pending_appeal,
)
from server.edge.endpoint import Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.report_requests import AppealAnswer, CasesQuery, CaseUpdate, DecisionCreate, ReversalCreate
from server.edge.report_responses import AppealResponse
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse
from storage.postgres.database import Queryable
from storage.reports import Case, CaseState
from storage.stores.moderation import appeals, cases, decisions, moderated_subjects

_TAG = "moderation"
_CASE = "/moderation/cases/{id}"
_QUEUE, _APPEALS = "queue of cases", "queue of appeals"


class CasesApi:
    """The queue of moderators, cases, and appeals; a 403 for all other accounts."""

    def __init__(
        self,
        db: Queryable,
        cursors: Cursors,
        actions: CaseActions,
        appeal_actions: AppealActions,
        *,
        files: CaseFiles,
        metrics: CaseMetrics,
    ) -> None:
        self._db = db  # the primary: moderators act on what they read
        self._cursors = cursors
        self._actions = actions
        self._appeals = appeal_actions
        self._files = files
        self._metrics = metrics

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/moderation/cases",
                handler=self.queue,
                summary="List cases: those that are not closed by their priority",
                tag=_TAG,
                query=CasesQuery,
                response=ListResponse[CaseResponse],
                errors=(403,),
            ),
            Endpoint(
                method="GET",
                path=_CASE,
                handler=self.get,
                summary="Get a case with its subject, reports and history",
                tag=_TAG,
                response=CaseFileResponse,
                errors=(403, 404),
            ),
            Endpoint(
                method="PATCH",
                path=_CASE,
                handler=self.edit,
                summary="Assign a case, escalate it to the administrators, or return it",
                tag=_TAG,
                quota=MODERATION_QUOTA,
                body=CaseUpdate,
                response=CaseFileResponse,
                errors=(403, 404, 409),
            ),
            Endpoint(
                method="POST",
                path=f"{_CASE}/decisions",
                handler=self.decide,
                summary="Decide a case: carry out an action and close the case",
                tag=_TAG,
                quota=MODERATION_QUOTA,
                body=DecisionCreate,
                status=201,
                response=CaseDecisionResponse,
                errors=(403, 404, 409),
            ),
            *self._later_endpoints(),
        ]

    def _later_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path="/moderation/decisions/{id}/reversal",
                handler=self.revert,
                summary="Undo a decision and its action",
                tag=_TAG,
                quota=MODERATION_QUOTA,
                body=ReversalCreate,
                status=201,
                response=CaseDecisionResponse,
                errors=(403, 404, 409),
            ),
            Endpoint(
                method="GET",
                path="/moderation/appeals",
                handler=self.pending,
                summary="List the appeals that wait for an answer, oldest first",
                tag=_TAG,
                query=ListQuery,
                response=ListResponse[PendingAppealResponse],
                errors=(403,),
            ),
            Endpoint(
                method="POST",
                path="/moderation/appeals/{id}/answer",
                handler=self.answer,
                summary="Answer the appeal against a decision of another moderator",
                tag=_TAG,
                quota=MODERATION_QUOTA,
                body=AppealAnswer,
                response=AppealResponse,
                errors=(403, 404, 409),
            ),
        ]

    async def queue(self, request: ApiRequest) -> web.Response:
        """Handle `GET /moderation/cases`."""
        query, viewer_id = request.query(CasesQuery), request.viewer.user_id
        await moderators.require_moderator(self._db, viewer_id)
        assigned_to = viewer_id if query.mine else None
        if query.state == "closed":
            return await self._closed(query, assigned_to)
        listing = f"{_QUEUE} {query.state} {query.kind}"
        state = None if query.state == "active" else CaseState(query.state)
        found = await cases.queue(
            self._db,
            kind=query.kind,
            state=state,
            assigned_to=assigned_to,
            after=_Place.of(self._cursors.decode_text(listing, query.cursor)),
            limit=query.limit + 1,
        )
        page = found[: query.limit]
        more = len(found) > query.limit
        next_cursor = self._cursors.encode_text(listing, str(_Place(page[-1].priority, page[-1].id))) if more else None
        return await self._list(page, next_cursor)

    async def _closed(self, query: CasesQuery, assigned_to: int | None) -> web.Response:
        pager = Pager(self._cursors, f"{_QUEUE} closed {query.kind}")
        found = await cases.closed(
            self._db,
            kind=query.kind,
            assigned_to=assigned_to,
            before=pager.before(query.cursor),
            limit=query.limit + 1,
        )
        page, next_cursor = pager.cut(found, query.limit, lambda case: case.id)
        return await self._list(page, next_cursor)

    async def _list(self, page: list[Case], next_cursor: str | None) -> web.Response:
        named = {case.owner_id for case in page} | {case.assigned_to for case in page if case.assigned_to is not None}
        accounts = await moderated_subjects.accounts(self._db, named)
        return list_response([CaseResponse.from_model(case, accounts).to_bytes() for case in page], next_cursor)

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /moderation/cases/{id}`."""
        return await self._file(request.viewer.user_id, request.id())

    async def edit(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /moderation/cases/{id}`."""
        case_id, viewer_id, form = request.id(), request.viewer.user_id, await request.body(CaseUpdate)
        if form.assigns:
            await self._actions.assign(viewer_id, case_id, form.assigned_to)
        if form.state is not None:
            await self._actions.escalate(viewer_id, case_id, escalated=form.state == "escalated", note=form.note)
        return await self._file(viewer_id, case_id)

    async def decide(self, request: ApiRequest) -> web.Response:
        """Handle `POST /moderation/cases/{id}/decisions`."""
        case_id, form = request.id(), await request.body(DecisionCreate)
        decision = await self._actions.decide(request.viewer.user_id, case_id, **form.model_dump())
        self._metrics.case_decided(decision.action)
        accounts = await moderated_subjects.accounts(self._db, [request.viewer.user_id])
        return json_response(case_decision(decision, accounts).to_bytes(), status=201)

    async def revert(self, request: ApiRequest) -> web.Response:
        """Handle `POST /moderation/decisions/{id}/reversal`."""
        decision_id, form = request.id(), await request.body(ReversalCreate)
        decision = await self._actions.revert(request.viewer.user_id, decision_id, reason=form.reason)
        accounts = await moderated_subjects.accounts(self._db, [request.viewer.user_id])
        return json_response(case_decision(decision, accounts).to_bytes(), status=201)

    async def pending(self, request: ApiRequest) -> web.Response:
        """Handle `GET /moderation/appeals`."""
        query, viewer_id = request.query(ListQuery), request.viewer.user_id
        await moderators.require_moderator(self._db, viewer_id)
        after = _appeal_place(self._cursors.decode_text(_APPEALS, query.cursor))
        found = await appeals.pending(self._db, after=after, limit=query.limit + 1)
        page = found[: query.limit]
        about = await decisions.by_ids(self._db, [appeal.decision_id for appeal in page])
        named = {appeal.owner_id for appeal in page}
        named |= {one.decided_by for one in about.values() if one.decided_by is not None}
        accounts = await moderated_subjects.accounts(self._db, named)
        next_cursor = None
        if len(found) > query.limit:
            last = page[-1]
            text = f"{last.created_at.timestamp() * 1_000_000:.0f} {last.decision_id}"
            next_cursor = self._cursors.encode_text(_APPEALS, text)
        items = [pending_appeal(appeal, about[appeal.decision_id], accounts).to_bytes() for appeal in page]
        return list_response(items, next_cursor)

    async def answer(self, request: ApiRequest) -> web.Response:
        """Handle `POST /moderation/appeals/{id}/answer`; the id is that of the decision."""
        decision_id, form = request.id(), await request.body(AppealAnswer)
        appeal = await self._appeals.answer(
            request.viewer.user_id, decision_id, reverted=form.outcome == "reverted", answer=form.answer
        )
        accounts = await moderated_subjects.accounts(self._db, [request.viewer.user_id])
        return json_response(case_appeal(appeal, accounts).to_bytes())

    async def _file(self, viewer_id: int, case_id: int) -> web.Response:
        return json_response(await self._files.serialize(await self._actions.read(viewer_id, case_id)))


class _Place(NamedTuple):
    """The place of a case in the queue."""

    priority: float
    id: int

    def __str__(self) -> str:
        return f"{self.priority!r} {self.id}"

    @classmethod
    def of(cls, text: str | None) -> _Place | None:
        """Return the place in a cursor, None for none."""
        if text is None:
            return None
        priority, _, identifier = text.partition(" ")
        return cls(float(priority), int(identifier))


def _appeal_place(text: str | None) -> tuple[datetime, int] | None:
    if text is None:
        return None
    microseconds, _, decision_id = text.partition(" ")
    return datetime.fromtimestamp(int(microseconds) / 1_000_000, UTC), int(decision_id)
