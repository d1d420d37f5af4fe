"""The lower limits of new accounts, over the API."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.api import Api, running_api, with_limits
from tests.support.cases import photo_of
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


async def test_uploads_comments_and_follows(api: Api) -> None:
    """Each has its own limit; the answer is a 429 with its code, `Retry-After` and the limit's fields."""
    limited = with_limits(api.services, new_uploads="1/h", new_comments="1/h", new_follows="1/h")
    async with running_api(limited) as small:
        ann, bob, cal = await small.user(), await small.user(), await small.user()
        photo_id = await photo_of(small, bob)
        paths: list[tuple[str, str, dict[str, str] | None]] = [
            ("PUT", f"/users/{other.id}/follow", None) for other in (bob, cal)
        ]
        paths += [("POST", f"/photos/{photo_id}/comments", {"text": text}) for text in ("one", "two")]
        answers = [await ann.call(method, path, json=json) for method, path, json in paths]
        answers += [await ann.try_upload(photograph(), "one"), await ann.try_upload(photograph("cat"), "two")]
        assert [answer.status for answer in answers] == [204, 429, 201, 429, 201, 429]
        for answer, name in zip(answers[1::2], ("new_follows", "new_comments", "new_uploads"), strict=True):
            problem = answer.expect(429)
            assert problem["code"] == "new_account_limit"
            assert problem["detail"].startswith("Your account is new")
            assert int(answer.headers["Retry-After"]) > 3000
            assert answer.headers["RateLimit-Policy"] == f'"{name}";q=1;w=3600'
        # What does not spread anything has no lower limit.
        (await ann.call("DELETE", f"/users/{bob.id}/follow")).expect(204)
        (await ann.call("PUT", f"/photos/{photo_id}/like")).expect(200)


async def test_photos_of_ones_own_end_the_limits(api: Api) -> None:
    """After the first day, an account with enough ready photos has the limits of all."""
    base = api.services.base.with_values("abuse", new_account_hours=0, new_account_photos=2)
    limited = with_limits(replace(api.services, base=base), new_follows="1/h")
    async with running_api(limited) as small:
        ann, bob, cal = await small.user(), await small.user(), await small.user()
        await photo_of(small, ann)
        await ann.follow(bob)
        (await ann.call("PUT", f"/users/{cal.id}/follow")).expect(429)
        await photo_of(small, ann)
        await ann.follow(cal)
