"""Resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload), for unmodified clients.

Extensions: creation, creation-with-upload, checksum, expiration, termination. Each PATCH stores what it has received
as one part, also when its connection breaks; the next one may reach another process.
"""

from __future__ import annotations

import base64
import hmac
import time
from email.utils import format_datetime

from aiohttp import web

from locales.sentences import marked, sentence
from server.actions.uploads import CREATE_QUOTA, UploadActions
from server.api.upload_lease import LeaseRenewal, locked
from server.edge.api_request import RESPONSE_HEADERS, ApiRequest
from server.edge.endpoint import PREFIX, Auth, Endpoint, Handler
from server.edge.problem import ProblemError, bad_field
from server.media.body_spool import BodySpool, ReceivedBody
from server.media.image_checks import UploadLimits, too_large
from server.media.spool import SpoolFullError
from server.media.upload_metrics import UploadMetrics, Way
from server.media.video_checks import VideoUploadLimits, require_accepted
from storage.ids import encode, milliseconds_of
from storage.media_types import VIDEO_TYPES
from storage.stores.photos.uploads import MAX_PARTS, Upload

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"
ALGORITHMS = ("sha1", "sha256")
PART_TYPE = "application/offset+octet-stream"
PATH = "/uploads/tus"
ARCHIVE_TYPE = "application/zip"  # of an archive that is to be imported
_MAX_METADATA = 4096  # bytes
# Errors that users see. Those about a header are for the developers of clients.
_TOO_MANY_PARTS = marked("The upload was interrupted too often. Start it again.")
_INCOMPLETE = marked("The body ended before it was complete. Send it again.")
_WRONG_CHECKSUM = marked("The body does not have this checksum. Nothing of it was kept.")
_USED = marked("The upload has become a photo.")


class TusApi:
    """`/uploads/tus` and `/uploads/tus/<id>`."""

    def __init__(
        self,
        actions: UploadActions,
        spool: BodySpool,
        limits: UploadLimits,
        videos: VideoUploadLimits,
        metrics: UploadMetrics,
        *,
        archive_bytes: int,
    ) -> None:
        self._archive_bytes = archive_bytes
        self._videos = videos
        self._actions = actions
        self._spool = spool
        self._limits = limits
        self._metrics = metrics

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of these resources; tus itself defines their headers and statuses."""
        one = f"{PATH}/{{id}}"
        return [
            self._endpoint("OPTIONS", PATH, self.options, "Get what of tus 1.0 is supported", auth=Auth.NONE),
            self._endpoint("POST", PATH, self.create, "Announce a resumable upload (tus 1.0)", status=201, stores=True),
            self._endpoint("HEAD", one, self.head, "Get how much of a resumable upload has arrived"),
            self._endpoint("PATCH", one, self.append, "Append to a resumable upload", stores=True),
            self._endpoint("DELETE", one, self.end, "End a resumable upload and delete its bytes"),
            self._endpoint("POST", one, self.overridden, "Append or end, as X-HTTP-Method-Override says", stores=True),
        ]

    def _endpoint(
        self,
        method: str,
        path: str,
        handler: Handler,
        summary: str,
        *,
        status: int = 204,
        stores: bool = False,
        auth: Auth = Auth.REQUIRED,
    ) -> Endpoint:
        async def versioned(request: ApiRequest) -> web.StreamResponse:
            headers = {"Tus-Resumable": VERSION}
            # They are added to errors, too.
            request.http[RESPONSE_HEADERS] = {**request.http.get(RESPONSE_HEADERS, {}), **headers}
            if method != "OPTIONS" and request.http.headers.get("Tus-Resumable") != VERSION:
                detail = f"Send the header Tus-Resumable: {VERSION}."
                raise ProblemError(412, "tus_version", detail, headers={"Tus-Version": VERSION})
            return await handler(request)

        return Endpoint(
            method=method,
            path=path,
            handler=versioned,
            summary=summary,
            tag="uploads",
            auth=auth,
            quota=CREATE_QUOTA,
            stores=stores,
            status=200 if method == "HEAD" else status,
            errors=(412,) if method == "OPTIONS" else (404, 408, 409, 412, 413, 415, 423, 460),
        )

    async def options(self, _request: ApiRequest) -> web.Response:
        """Handle `OPTIONS /uploads/tus`."""
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(max(map(self._limit, ("", ARCHIVE_TYPE, *VIDEO_TYPES)))),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        }
        return web.Response(status=204, headers=headers)

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /uploads/tus`."""
        headers = request.http.headers
        if "Upload-Defer-Length" in headers:
            raise bad_field("Upload-Defer-Length", "The length must be known from the beginning.")
        size = _number(request, "Upload-Length")
        metadata = headers.get("Upload-Metadata", "")
        fields = _metadata(metadata)
        sha256, content_type = fields.get("sha256"), fields.get("filetype", "")
        require_accepted(content_type, self._videos)
        if size > self._limit(content_type):
            raise too_large(self._limit(content_type), content_type)
        upload = await self._actions.announce_resumable(
            request.viewer.user_id, size=size, metadata=metadata, sha256=sha256
        )
        offset = 0
        if request.http.body_exists and request.http.content_type == PART_TYPE:
            offset = await self._receive(request, upload)
        location = f"{PREFIX}{PATH}/{encode(upload.id)}"
        return web.Response(status=201, headers={"Location": location, **_state(upload, offset)})

    async def head(self, request: ApiRequest) -> web.Response:
        """Handle `HEAD /uploads/tus/{id}`."""
        upload = await self._actions.get(request.viewer.user_id, request.id())
        headers = {**_state(upload, upload.received), "Upload-Length": str(upload.bytes)}
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        return web.Response(status=200, headers=headers)

    async def append(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /uploads/tus/{id}`."""
        if request.http.content_type != PART_TYPE:
            raise ProblemError(415, "unsupported_media_type", f"Send the header Content-Type: {PART_TYPE}.")
        offset = _number(request, "Upload-Offset")
        upload = await self._actions.get(request.viewer.user_id, request.id())
        if upload.used or offset != upload.received:
            raise _conflict(upload)
        received = await self._receive(request, upload)
        return web.Response(status=204, headers=_state(upload, received))

    async def end(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /uploads/tus/{id}`."""
        await self._actions.end(request.viewer.user_id, request.id())
        return web.Response(status=204)

    async def overridden(self, request: ApiRequest) -> web.Response:
        """Handle `POST /uploads/tus/{id}`, for networks that let no other methods through."""
        method = request.http.headers.get("X-HTTP-Method-Override", "").upper()
        if method == "PATCH":
            return await self.append(request)
        if method == "DELETE":
            return await self.end(request)
        raise bad_field("X-HTTP-Method-Override", "Send PATCH or DELETE.")

    def _limit(self, content_type: str) -> int:
        """Return the bytes that a file of a declared type may have; the file itself is checked when it is used."""
        if content_type == ARCHIVE_TYPE:
            return self._archive_bytes
        return (
            self._videos.max_bytes if content_type in VIDEO_TYPES and self._videos.accepted else self._limits.max_bytes
        )

    async def _receive(self, request: ApiRequest, upload: Upload) -> int:
        """Store the body as a part, and return the offset after it."""
        checksum = _checksum(request)
        if len(upload.parts) >= MAX_PARTS:
            raise ProblemError(409, "too_many_parts", _TOO_MANY_PARTS)
        left = upload.bytes - upload.received
        if (request.http.content_length or 0) > left:
            raise _too_long(left)
        lease = await self._actions.begin_part(upload)
        if lease is None:
            raise locked()
        try:
            offset = upload.received + await self._receive_part(request, upload, lease, checksum)
        except SpoolFullError as error:
            await self._actions.cancel_part(upload, lease)
            raise _too_long(left) from error
        except BaseException:
            # Also after a cancellation: otherwise the client would wait for the end of the lease.
            await self._actions.cancel_part(upload, lease)
            raise
        if offset == upload.bytes:
            seconds = time.time() - milliseconds_of(upload.id) / 1000
            self._metrics.upload_received(way=Way.TUS, seconds=seconds, size=upload.bytes)
        return offset

    async def _receive_part(
        self, request: ApiRequest, upload: Upload, lease: int, checksum: tuple[str, bytes] | None
    ) -> int:
        """Store what arrives of the body, end the lease, and return the number of bytes."""
        renewal = LeaseRenewal(self._actions, upload, lease)
        # If the whole comes in one request, it is hashed on the way, and need not be read for that again.
        whole = upload.received == 0 and request.http.content_length == upload.bytes
        algorithms = ({checksum[0]} if checksum else set()) | ({"sha256"} if whole else set())
        body = self._spool.receive(
            request.http,
            limit=upload.bytes - upload.received,
            algorithms=sorted(algorithms),
            progress=renewal,
        )
        async with body as received:
            _verify(received, checksum)
            spool, size = received.spool, received.spool.size
            sha256 = spool.sha256 if whole and size == upload.bytes else None
            if size == 0:
                await self._actions.cancel_part(upload, lease)
            else:
                end = self._actions.end_part(upload, lease, spool.path, size=size, whole_sha256=sha256)
                if not await renewal.until(end):
                    raise locked()
            return size


def _state(upload: Upload, offset: int) -> dict[str, str]:
    return {
        "Upload-Offset": str(offset),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }


def _number(request: ApiRequest, name: str) -> int:
    text = request.http.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise bad_field(name, "Send a number of bytes.")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """Return the values of the pairs `key base64` that we use; raise a 400."""
    if len(header) > _MAX_METADATA:
        raise bad_field("Upload-Metadata", f"It may have at most {_MAX_METADATA} characters.")
    values: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, encoded = pair.partition(" ")
        try:
            values[key] = base64.b64decode(encoded, validate=True).decode()
        except ValueError as error:
            raise bad_field("Upload-Metadata", "Send pairs of a key and a value in base64, as tus says.") from error
    sha256 = values.get("sha256")
    if sha256 is not None and not (len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")):
        raise bad_field("Upload-Metadata", "sha256 should be 64 hexadecimal digits in lower case.")
    return values


def _checksum(request: ApiRequest) -> tuple[str, bytes] | None:
    """Return the algorithm and digest of `Upload-Checksum`, or None without one; raise a 400."""
    header = request.http.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, encoded = header.partition(" ")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise bad_field("Upload-Checksum", "Send an algorithm and a digest in base64.") from error
    if algorithm not in ALGORITHMS:
        raise bad_field("Upload-Checksum", f"Use one of these algorithms: {', '.join(ALGORITHMS)}.")
    return algorithm, digest


def _verify(received: ReceivedBody, checksum: tuple[str, bytes] | None) -> None:
    if checksum is None:
        return
    if not received.complete:
        raise ProblemError(400, "body_incomplete", _INCOMPLETE)
    algorithm, digest = checksum
    if not hmac.compare_digest(received.spool.hashes[algorithm], digest):
        raise ProblemError(460, "checksum_mismatch", _WRONG_CHECKSUM)


def _conflict(upload: Upload) -> ProblemError:
    detail = _USED if upload.used else sentence("The upload is at offset {offset}.", offset=upload.received)
    return ProblemError(409, "offset_conflict", detail, headers={"Upload-Offset": str(upload.received)})


def _too_long(left: int) -> ProblemError:
    detail = sentence("The upload lacks {number} bytes; the body has more.", number=left)
    return ProblemError(413, "upload_too_long", detail, headers={"Connection": "close"})
