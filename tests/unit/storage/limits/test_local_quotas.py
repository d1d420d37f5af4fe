"""Quotas in the memory of one process."""

from __future__ import annotations

from storage.limits.local_quotas import LocalQuotas
from storage.limits.quotas import QuotaPolicy

POLICY = QuotaPolicy(name="reads", limit=3, window_seconds=6)
OTHER = QuotaPolicy(name="sign_in", limit=1, window_seconds=6)


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_burst_then_an_even_rate() -> None:
    """The whole limit may be used at once; then one request becomes available after each part of the window."""
    clock = Clock()
    quotas = LocalQuotas(clock=clock)
    taken = [quotas.take_all([(POLICY, "ann")])[0] for _ in range(4)]
    assert [(quota.allowed, quota.remaining) for quota in taken] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    assert taken[3].retry_after == 2.0
    clock.now += 2.0
    assert [quotas.take_all([(POLICY, "ann")])[0].allowed for _ in range(2)] == [True, False]
    assert quotas.take_all([(POLICY, "ben")])[0].remaining == 2


def test_all_or_none_is_charged() -> None:
    """A quota that is used up keeps the others from being charged."""
    quotas = LocalQuotas(clock=Clock())
    assert [quota.allowed for quota in quotas.take_all([(POLICY, "a"), (OTHER, "a")])] == [True, True]
    assert [quota.allowed for quota in quotas.take_all([(POLICY, "a"), (OTHER, "a")])] == [True, False]
    assert quotas.take_all([(POLICY, "a")])[0].remaining == 1


def test_memory_is_bounded() -> None:
    """Beyond the number of subjects the one that was charged first is given up."""
    quotas = LocalQuotas(subjects=2, clock=Clock())
    for subject in ("a", "b", "a", "c"):
        quotas.take_all([(POLICY, subject)])
    assert quotas.take_all([(POLICY, "a")])[0].remaining == 0
    assert quotas.take_all([(POLICY, "b")])[0].remaining == 2
