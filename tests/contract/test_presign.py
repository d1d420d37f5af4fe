"""Signed uploads to object stores: each store accepts the request that was signed, once, and no other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from yarl import URL

from storage.blobs.keys import incoming_key
from storage.blobs.presign import S3Presigner, SignedRequest
from storage.blobs.s3 import S3Blobs
from storage.blobs.s3_address import S3Address
from tests.engines.object_store import ObjectStore
from tests.support.objects import has

DATA = b"\xff\xd8\xff" + bytes(1000)
OTHER = b"\xff\xd8\xff" + bytes(999) + b"x"
KEY = incoming_key("u1")
CHECKSUM = "x-amz-checksum-sha256"
_OTHER_SUM = S3Presigner(S3Address(bucket="any"), ObjectStore(endpoint="http://any").keys).presign_put(
    KEY, content_type="image/jpeg", size=1, sha256=hashlib.sha256(OTHER).hexdigest(), expires_in=1
)


@dataclass
class Sent:
    """A request as a client sends it; a test changes one thing in it."""

    url: str
    headers: dict[str, str]
    body: bytes = DATA
    chunked: bool = False

    def other(self, **headers: str | None) -> None:
        """Change or remove headers; underscores are hyphens."""
        for name, value in headers.items():
            self.headers.pop(name.replace("_", "-"), None)
            if value is not None:
                self.headers[name.replace("_", "-")] = value


def _address(change: Callable[[str], str]) -> Callable[[Sent], None]:
    def tamper(sent: Sent) -> None:
        sent.url = change(sent.url)

    return tamper


def _body(body: bytes) -> Callable[[Sent], None]:
    def tamper(sent: Sent) -> None:
        sent.body = body

    return tamper


def _chunked(sent: Sent) -> None:
    sent.chunked = True


TAMPERED: Mapping[str, Callable[[Sent], None]] = {
    "another type": lambda sent: sent.other(Content_Type="text/html"),
    "no type": lambda sent: sent.other(Content_Type=None),
    "another length": _body(DATA + b"x"),
    "chunked": _chunked,
    "no checksum": lambda sent: sent.other(x_amz_checksum_sha256=None),
    "another checksum": lambda sent: sent.other(x_amz_checksum_sha256=_OTHER_SUM.headers[CHECKSUM]),
    "no condition": lambda sent: sent.other(If_None_Match=None),
    "other bytes": _body(OTHER),
    "another key": _address(lambda url: url.replace("/u1/", "/u2/")),
    "a longer life": _address(lambda url: url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")),
    "more in the query": _address(lambda url: f"{url}&x=1"),
    "an access list": lambda sent: sent.other(x_amz_acl="public-read"),
    "no signature": _address(lambda url: url.split("&X-Amz-Signature", maxsplit=1)[0]),
}


@pytest.fixture(params=["seaweed", "openstack"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each object store."""
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


def signed(store: ObjectStore, address: S3Address, *, age: timedelta = timedelta()) -> SignedRequest:
    """Return a request for `DATA` that was signed some time ago, and is valid for a minute."""
    signer = S3Presigner(address, store.keys, now=lambda: datetime.now(UTC) - age)
    sha256 = hashlib.sha256(DATA).hexdigest()
    return signer.presign_put(KEY, content_type="image/jpeg", size=len(DATA), sha256=sha256, expires_in=60)


async def send(sent: Sent) -> int:
    """Send a request and return its status."""

    async def pieces() -> object:
        yield sent.body

    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session:
        body = pieces() if sent.chunked else sent.body
        async with session.put(URL(sent.url, encoded=True), data=body, headers=sent.headers) as response:
            return response.status


async def test_what_was_signed_is_stored_once(store: ObjectStore) -> None:
    """The request stores the object with its type; a second time it is refused, and so is an expired one."""
    address = store.create_bucket()
    request, blobs = signed(store, address), S3Blobs(address, store.keys)
    assert await send(Sent(request.url, dict(request.headers))) == 200
    info = await blobs.head(KEY)
    assert (info.size, info.content_type) == (len(DATA), "image/jpeg")
    assert await send(Sent(request.url, dict(request.headers))) == 412
    await blobs.delete([KEY])
    old = signed(store, address, age=timedelta(seconds=90))
    assert await send(Sent(old.url, dict(old.headers))) == 403
    assert not await has(blobs, KEY)


async def test_what_was_changed_is_refused(store: ObjectStore) -> None:
    """A request that differs in anything is refused and stores nothing."""
    address = store.create_bucket()
    blobs, statuses = S3Blobs(address, store.keys), {}
    for name, tamper in TAMPERED.items():
        request = signed(store, address)
        sent = Sent(request.url, dict(request.headers))
        tamper(sent)
        statuses[name] = await send(sent)
        assert not await has(blobs, KEY), name
        assert not await has(blobs, incoming_key("u2")), name
    # 400 is the answer to bytes that do not fit their checksum; all else breaks the signature.
    assert set(statuses.values()) <= {400, 403, 411}, statuses
    assert statuses["other bytes"] in {400, 403}
