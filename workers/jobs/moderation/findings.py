"""Record what automatic rules find, and let what follows from it take effect in the same transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from storage import ids
from storage.abuse import AbuseAction, Finding
from storage.moderation import Decider, Decision, ModerationAction
from storage.postgres.database import Transaction
from storage.reports import SubjectKind
from storage.stores.moderation import automatic_cases, findings
from storage.stores.photos import photo_moderation
from workers.errors import Retry
from workers.jobs.metrics import FindingMetrics

log = structlog.get_logger(__name__)


# A hold has an end. It is so far away that no photo is shown because moderators were slow.
HOLD = timedelta(days=365)
_DECISIONS = {AbuseAction.HOLD: ModerationAction.HOLD, AbuseAction.HIDE: ModerationAction.HIDE}
_REASON = "An automatic check has found that a picture resembles one that is not allowed here."


class FindingRecorder:
    """Recorder of findings: each is a row of the log, a log event and a count, and has its consequence once."""

    def __init__(self, metrics: FindingMetrics) -> None:
        self._metrics = metrics

    async def record(self, tx: Transaction, finding: Finding) -> bool:
        """Record a finding with its consequence, unless it is known; return whether it was recorded.

        The transaction holds no locks yet. Nothing is recorded about a deleted account, photo or comment. Raise `Retry`
        if the same was found about another subject at this moment, so that no case without a reason is opened.
        """
        subject = await automatic_cases.subject_of(tx, finding)
        if subject is None or await findings.is_known(tx, finding):
            return False
        # The case first, as moderators lock it, then the account, then the photo.
        case, opened = await automatic_cases.lock(tx, subject, finding)
        if not await findings.record(tx, finding):
            if opened:
                raise Retry("the same was found about another subject meanwhile")
            return False
        await automatic_cases.add(tx, case, finding)
        if finding.subject is SubjectKind.PHOTO and finding.action in _DECISIONS:
            await photo_moderation.decide(tx, finding.subject_id, _decision(finding))
        tx.on_commit(partial(self._report, finding))
        return True

    async def _report(self, finding: Finding) -> None:
        self._metrics.abuse_found(kind=finding.kind.value, rule=finding.rule, action=finding.action.value)
        log.warning(
            "abuse_found",
            kind=finding.kind.value,
            rule=finding.rule,
            action=finding.action.value,
            account=ids.encode(finding.account_id),
            subject=finding.subject.value,
            subject_id=ids.encode(finding.subject_id),
            facts=dict(finding.facts),
        )


def _decision(finding: Finding) -> Decision:
    """Return the decision about a photo: its author reads category and reason, moderators the rule and the facts."""
    action = _DECISIONS[finding.action]
    return Decision(
        action=action,
        by=Decider.AUTOMATIC,
        source=f"{finding.kind.value}:{finding.rule}",
        reason=_REASON,
        rule=finding.category.value,
        labels=dict(finding.facts),
        until=datetime.now(UTC) + HOLD if action is ModerationAction.HOLD else None,
    )
