"""Which of several decisions about a photo applies."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from storage.moderation import Decider, Decision, ModerationAction, applies, from_document, to_document
from tests.support.moderation import ALLOW, HIDE, HOLD, SENSITIVE, decision

MODERATOR, SERVICE, AUTOMATIC = Decider


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], None),
        ([(ALLOW, SERVICE)], ALLOW),
        ([(ALLOW, SERVICE), (HIDE, SERVICE)], HIDE),
        ([(SENSITIVE, SERVICE), (ALLOW, SERVICE), (HIDE, AUTOMATIC)], HIDE),
        ([(HOLD, AUTOMATIC)], HOLD),
        ([(HOLD, AUTOMATIC), (ALLOW, AUTOMATIC)], HOLD),
        ([(HOLD, AUTOMATIC), (HIDE, AUTOMATIC)], HIDE),
        ([(HOLD, AUTOMATIC), (ALLOW, SERVICE)], ALLOW),
        ([(HOLD, AUTOMATIC), (SENSITIVE, SERVICE)], SENSITIVE),
        ([(HOLD, AUTOMATIC), (HIDE, AUTOMATIC), (ALLOW, SERVICE)], HIDE),
        ([(ALLOW, MODERATOR), (HIDE, SERVICE), (HIDE, AUTOMATIC), (HOLD, AUTOMATIC)], ALLOW),
        ([(SENSITIVE, MODERATOR), (HIDE, SERVICE)], SENSITIVE),
        ([(HOLD, MODERATOR), (ALLOW, SERVICE)], HOLD),
    ],
)
def test_the_decision_that_applies(
    decisions: list[tuple[ModerationAction, Decider]], expected: ModerationAction | None
) -> None:
    """Moderators decide before all others, the strictest of these applies, and a service ends holds; in any order."""
    made = [decision(action, by, source=str(place)) for place, (action, by) in enumerate(decisions)]
    results = {None if found is None else found.source for found in map(applies, itertools.permutations(made))}
    assert len(results) == 1
    found = applies(made)
    assert (None if found is None else found.action) is expected


def test_equal_decisions_of_two_services_do_not_depend_on_their_order() -> None:
    """Of two equally strict decisions the same one applies in either order."""
    one, two = decision(HIDE, SERVICE, source="1"), decision(HIDE, SERVICE, source="2")
    assert applies([one, two]) == applies([two, one])


@pytest.mark.parametrize(
    "made",
    [
        decision(HOLD, AUTOMATIC, source="new"),
        Decision(action=HIDE, by=SERVICE, source="01", labels={"nudity": 0.9}, decided_at=datetime.now(UTC)),
    ],
)
def test_a_decision_returns_from_its_document(made: Decision) -> None:
    """A decision that was stored with a photo is read as it was."""
    assert from_document(to_document(made)) == made


@pytest.mark.parametrize(
    ("action", "state"), [(ALLOW, None), (SENSITIVE, "sensitive"), (HOLD, "held"), (HIDE, "hidden")]
)
def test_the_state_that_follows(action: ModerationAction, state: str | None) -> None:
    """Held and hidden photos are withheld; one that is allowed has no state."""
    made = decision(action)
    assert made.state == state
    assert made.withholds is (state in {"held", "hidden"})
