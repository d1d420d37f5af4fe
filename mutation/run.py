"""Try the mutants of each part, and report those that survive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mutation.accepted import Accepted
from mutation.engines import SharedEngines
from mutation.mutant import Mutant
from mutation.parts.part import Part
from mutation.tree import copied_tree
from mutation.trials import Trials, open_trials

_SLOWER = 3.0  # times the time without a mutant, after which a trial is stopped
_AT_LEAST = 20.0  # seconds
_PROGRESS = 50  # mutants between two lines


def try_all(
    root: Path, plan: Sequence[tuple[Part, Sequence[Mutant]]], accepted: Sequence[Accepted]
) -> Sequence[Mutant]:
    """Try all mutants; print and return those that survived and are not accepted.

    Raises `BaselineError` if the tests of a part fail without a mutant.
    """
    survivors: list[Mutant] = []
    with copied_tree(root) as tree, SharedEngines() as engines, open_trials(tree, engines) as trials:
        for part, mutants in plan:
            if mutants:
                survivors += _try_part(trials, part, mutants, accepted)
    return survivors


def _try_part(trials: Trials, part: Part, mutants: Sequence[Mutant], accepted: Sequence[Accepted]) -> Sequence[Mutant]:
    seconds = trials.baseline(part)
    print(f"\n{part.name}: {len(mutants)} mutants; the tests take {seconds:.0f} s without one", flush=True)
    survivors: list[Mutant] = []
    outcomes: Counter[str] = Counter()
    for number, mutant in enumerate(mutants):
        if number and number % _PROGRESS == 0:
            print(f"{part.name}: {number} of {len(mutants)}", flush=True)
        outcome: str = trials.trial(part, mutant, max(_AT_LEAST, seconds * _SLOWER))
        if outcome == "survived" and any(entry.covers(mutant) for entry in accepted):
            outcome = "accepted"
        outcomes[outcome] += 1
        if outcome == "survived":
            survivors.append(mutant)
        # A trial is also stopped where the machine has become much slower since the tests ran without a mutant.
        if outcome in {"survived", "stopped"}:
            print(f"\n{outcome.upper()} {mutant.diff()}", flush=True)
    print(f"\n{part.name}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()), flush=True)
    return survivors
