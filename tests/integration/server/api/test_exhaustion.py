"""A disk without space and a process without file descriptors: what cannot be done is refused, the rest goes on."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


def failing(code: int) -> Callable[..., Any]:
    """Return a function that fails with this error of the operating system."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


# What an upload does, in this order: create the temporary file, write it, sync it as a blob.
STEPS = [(tempfile, "mkstemp"), (os, "write"), (os, "fsync")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _, name in STEPS])
async def test_without_space_uploads_are_507_and_the_rest_goes_on(
    api: Api, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, code: int
) -> None:
    """A full disk refuses uploads and leaves nothing of them; photos are still read and deleted."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    urls = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]
    with monkeypatch.context() as patched:
        patched.setattr(module, name, failing(code))
        refused = await ann.try_upload(photograph("temple"))
        assert refused.expect(507)["code"] == "storage_full"
        assert int(refused.headers["Retry-After"]) > 0
        assert os.strerror(code).encode() not in refused.body
        assert (await api.get(urls["thumb"])).status == 200
        assert len(await ann.feed()) == 1
        (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    assert list(api.services.settings.upload_dir.iterdir()) == []
    (await ann.try_upload(photograph("temple"))).expect(201)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
async def test_without_file_descriptors_the_response_is_503(
    api: Api, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Neither an upload nor an image can be opened for the moment, and the response says when to try again."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    urls = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]
    data = photograph("temple").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "mkstemp", failing(code))
        patched.setattr(Path, "open", failing(code))
        upload, image = await ann.try_upload(data), await api.get(urls["thumb"])
        for response in (upload, image):
            assert response.expect(503)["code"] == "unavailable"
            assert int(response.headers["Retry-After"]) > 0
    assert (await api.get(urls["thumb"])).status == 200
