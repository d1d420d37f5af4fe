"""Lower limits for new accounts."""

from __future__ import annotations

import pytest

from server.config.section import from_sections
from server.config.settings import Settings
from server.identity.errors import NewAccountLimitedError
from server.identity.new_accounts import FOLLOWS, UPLOADS, NewAccountLimiter
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import RateLimits
from storage import ids
from tests.support.memory_quotas import MemoryQuotas
from workers.signals.settings import SignalSettings

CREATED = 1_800_000_000.0
USER = ids.first_id_at(CREATED) + 7
HOUR, DAY = 3600.0, 86400.0


class Scene:
    """A limiter, the age and photos of the account, and how often these were asked for."""

    def __init__(self, *used_up: str, age: float = 0.0, photos: int = 0) -> None:
        self.quotas = MemoryQuotas(*used_up)
        self.asked = 0
        self._photos = photos
        limiter = RateLimiter(self.quotas, from_sections(RateLimits, Settings().limits))
        rule = from_sections(SignalSettings, Settings().abuse)
        self.limiter = NewAccountLimiter(limiter, rule, self._photos_of, clock=lambda: CREATED + age)

    async def _photos_of(self, user_id: int) -> int:
        assert user_id == USER
        self.asked += 1
        return self._photos


@pytest.mark.parametrize(
    ("age", "photos", "charged"),
    [
        (0, 0, True),
        (24 * HOUR - 1, 500, True),
        (24 * HOUR, 2, True),
        (24 * HOUR, 3, False),
        (30 * DAY - 1, 2, True),
        (30 * DAY, 0, False),
    ],
)
async def test_which_accounts_are_new(age: float, photos: int, charged: bool) -> None:
    """An account is new for a day, and for a month while it has fewer than three photos."""
    scene = Scene(age=age, photos=photos)
    await scene.limiter.charge(UPLOADS, USER)
    assert [name for name, _ in scene.quotas.charged] == ([UPLOADS] if charged else [])


async def test_old_accounts_cost_nothing() -> None:
    """The photos of an account that cannot be new are not counted."""
    scene = Scene(age=31 * DAY)
    await scene.limiter.charge(UPLOADS, USER)
    assert scene.asked == 0


async def test_the_error_says_that_the_account_is_new() -> None:
    """It names the limit, and when to try again."""
    with pytest.raises(NewAccountLimitedError, match=r"Your account is new.*\(120 in 3600 s\).*Try again in \d+ s\."):
        await Scene(FOLLOWS).limiter.charge(FOLLOWS, USER)
