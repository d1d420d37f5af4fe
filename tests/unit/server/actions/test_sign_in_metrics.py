"""What is counted of sign-ins."""

from __future__ import annotations

import pytest

from server.actions.sign_in_metrics import counted
from server.identity.errors import (
    ChallengeError,
    PasskeyError,
    PasswordsBusyError,
    RateLimitedError,
    SecondFactorRequiredError,
    WrongCodeError,
    WrongCredentialsError,
)
from server.operation.metrics import Metrics
from tests.support.charges import charge


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "opened"),
        (SecondFactorRequiredError(charge(), "challenge"), "code_required"),
        (WrongCredentialsError(charge()), "refused"),
        (WrongCodeError(charge()), "refused"),
        (PasskeyError("no"), "refused"),
        (ChallengeError(), "refused"),
        (RateLimitedError(charge()), "limited"),
        (PasswordsBusyError("busy"), None),
    ],
)
def test_each_outcome_is_counted(error: Exception | None, outcome: str | None) -> None:
    """A sign-in is counted once by its way and outcome; an error of the service is none of them."""
    metrics = Metrics()

    def sign_in() -> None:
        with counted(metrics, "password"):
            if error is not None:
                raise error

    if error is None:
        sign_in()
    else:
        with pytest.raises(type(error)):
            sign_in()
    found = {
        sample.labels["outcome"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "picshare_sign_ins_total"
    }
    assert found == ({} if outcome is None else {outcome: 1.0})
