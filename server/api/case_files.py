"""Serialize a case for moderators: its subject, also where that is hidden from all others, and its history."""

from __future__ import annotations

from dataclasses import replace

from server.actions.cases import CaseFile
from server.edge.case_responses import (
    CaseFileResponse,
    CaseResponse,
    audit_entry,
    case_appeal,
    case_decision,
    case_fields,
    case_report,
    moderated_account,
    moderated_comment,
)
from server.media.urls import MediaUrls
from storage.blobs.variants import VariantRegistry
from storage.models import Photo, PhotoState
from storage.postgres.database import Queryable
from storage.render.photo import photo_json
from storage.reports import SubjectKind
from storage.stores.moderation import moderated_subjects

_NO_PHOTO = b'"photo":null'


class CaseFiles:
    """Serializes cases; the images of photos are at signed URLs."""

    def __init__(self, db: Queryable, variants: VariantRegistry, urls: MediaUrls) -> None:
        self._db = db
        self._variants = variants
        self._urls = urls

    async def serialize(self, file: CaseFile) -> bytes:
        """Return the JSON of a case."""
        case = file.case
        accounts = await moderated_subjects.accounts(self._db, _accounts_of(file))
        photo = comment = None
        if case.subject_kind is SubjectKind.PHOTO:
            photo = await moderated_subjects.photo(self._db, case.subject_id)
        if case.subject_kind is SubjectKind.COMMENT:
            comment = await moderated_subjects.comment(self._db, case.subject_id)
        response = CaseFileResponse(
            **case_fields(case, accounts),
            concerned=moderated_account(accounts.get(case.owner_id)),
            photo=None,
            comment=moderated_comment(comment),
            report_list=[case_report(report, accounts) for report in file.reports],
            decisions=[case_decision(decision, accounts) for decision in file.decisions],
            appeals=[case_appeal(appeal, accounts) for appeal in file.appeals],
            audit=[audit_entry(entry, accounts) for entry in file.audit],
            other_cases=[CaseResponse.from_model(other, accounts) for other in file.others],
        )
        # No text contains this: its quotation marks would be escaped.
        document = response.to_bytes()
        return document if photo is None else document.replace(_NO_PHOTO, b'"photo":' + self._photo(photo), 1)

    def _photo(self, photo: Photo) -> bytes:
        # The URLs of a hidden photo are those of photos that are looked at, whatever others may see of them.
        shown = photo.state is PhotoState.READY
        document = photo_json(
            replace(photo, state=PhotoState.HIDDEN) if shown else photo,
            self._variants,
            liked=False,
            sign=self._urls.sign,
        )
        return document.replace(b'"state":"hidden"', b'"state":"ready"', 1) if shown else document


def _accounts_of(file: CaseFile) -> set[int]:
    named = [file.case.owner_id, file.case.assigned_to]
    named += [report.reporter_id for report in file.reports]
    named += [decision.decided_by for decision in file.decisions]
    named += [appeal.answered_by for appeal in file.appeals]
    named += [entry.actor_id for entry in file.audit]
    named += [moderator_id for other in file.others for moderator_id in (other.owner_id, other.assigned_to)]
    return {user_id for user_id in named if user_id is not None}
