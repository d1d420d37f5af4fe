"""Record what automatic rules find, and let what follows from it take effect in the same transaction."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import structlog

from storage import ids
from storage.abuse import Finding
from storage.postgres.database import Transaction
from storage.stores import findings

log = structlog.get_logger(__name__)


class FindingMetrics(Protocol):
    """Counts findings."""

    def abuse_found(self, *, kind: str, rule: str, action: str) -> None:
        """Record a finding: its kind, the rule, such as the name of a list, and what follows from it."""
        ...


class NoFindingMetrics:
    """Records nothing."""

    def abuse_found(self, *, kind: str, rule: str, action: str) -> None:
        """Do nothing."""


class FindingRecorder:
    """Recorder of findings: each is a row of the log, a log event and a count, and has its consequence once."""

    def __init__(self, metrics: FindingMetrics) -> None:
        self._metrics = metrics

    async def record(self, tx: Transaction, finding: Finding) -> bool:
        """Record a finding unless it is known or the account is deleted; return whether it was recorded."""
        recorded = await findings.record(tx, finding)
        if recorded:
            tx.on_commit(partial(self._report, finding))
        return recorded

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
