"""Media that are uploaded before their status: an upload as tus makes them, complete with its one request.

The description of the picture, which a photo has as its alternative text, is in the upload's metadata until then.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from aiohttp import web
from pydantic import Field

from server.actions.posting import POST_QUOTA
from server.actions.uploads import CREATE_QUOTA, UploadActions
from server.edge.api_request import empty_response
from server.edge.endpoint import Auth, BodyFormat
from server.edge.fields import AltText
from server.edge.problem import ProblemError
from server.edge.requests import QueryModel
from server.mastodon.accounts import Entity
from server.mastodon.endpoint import Route, route
from server.mastodon.ids import parse_id
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.statuses import attachment, size_of
from server.mastodon.texts import Links
from server.media.sending import send_blob
from server.media.uploads import Upload as ReceivedUpload
from server.media.uploads import UploadReceiver
from server.media.urls import MediaUrls
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.media_types import VIDEO_TYPES
from storage.postgres.database import Database
from storage.stores.photos import uploads
from storage.stores.photos.uploads import Upload


class Description(QueryModel):
    """What can be said of media before they are posted; a `focus` is ignored, since PicShare shows whole pictures."""

    description: AltText | None = None


class FileQuery(QueryModel):
    """The signature of the address of an uploaded file."""

    exp: Annotated[str, Field(max_length=20)] = ""
    sig: Annotated[str, Field(max_length=100)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Medium:
    """An uploaded file that waits for its status: its type, its upright pixels, and its description."""

    id: int
    content_type: str
    width: int
    height: int
    description: str

    def encoded(self) -> str:
        """Return the metadata of the upload: pairs of a key and a value in base 64, as tus has them."""
        fields = {"filetype": self.content_type, "size": f"{self.width}x{self.height}", "alt_text": self.description}
        return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in fields.items())


def medium_of(upload: Upload) -> Medium:
    """Return the medium of an upload; raise `NotFoundError("upload")` for one that was not made here."""
    try:
        pairs = (pair.partition(" ") for pair in upload.metadata.split(","))
        fields = {key: base64.b64decode(value).decode() for key, _, value in pairs}
        width, height = map(int, fields["size"].split("x"))
        return Medium(
            id=upload.id,
            content_type=fields["filetype"],
            width=width,
            height=height,
            description=fields.get("alt_text", ""),
        )
    except (KeyError, ValueError, binascii.Error) as error:
        raise NotFoundError("upload") from error


class MediaReader:
    """Reads the viewer's media; raises `NotFoundError("upload")` for those of others, used and expired ones."""

    def __init__(self, actions: UploadActions) -> None:
        self._actions = actions

    async def get(self, viewer_id: int, media_id: int) -> Medium:
        """Return one that waits for its status."""
        upload = await self._actions.get(viewer_id, media_id)
        if upload.used or upload.received < upload.bytes:
            raise NotFoundError("upload")
        return medium_of(upload)

    async def of(self, viewer_id: int, media_ids: Sequence[str]) -> list[Medium]:
        """Return those that a status names, in its order; raise a 422, as apps expect, if one is not there."""
        try:
            return [await self.get(viewer_id, parse_id(media_id)) for media_id in dict.fromkeys(media_ids)]
        except NotFoundError as error:
            detail = "One of the media is not there any more, or belongs to a post already. Upload it again."
            raise ProblemError(422, "invalid_input", detail) from error


class MediaRoutes:
    """`/api/v1/media` and `/api/v2/media`."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        actions: UploadActions,
        receiver: UploadReceiver,
        *,
        reader: MediaReader,
        urls: MediaUrls,
        links: Links,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._actions = actions
        self._receiver = receiver
        self._reader = reader
        self._urls = urls
        self._links = links

    def routes(self) -> list[Route]:
        """Return the routes; those of both versions answer when the file is checked and stored."""
        one, scope = "/api/v1/media/{id}", "write:media"
        return [
            *(
                route(
                    "POST",
                    f"/api/{version}/media",
                    self.upload,
                    scope,
                    quota=POST_QUOTA,
                    stores=True,
                    body_format=BodyFormat.MULTIPART,
                )
                for version in ("v1", "v2")
            ),
            route("GET", one, self.get, scope),
            route("PUT", one, self.describe, scope, quota=CREATE_QUOTA),
            route("DELETE", one, self.delete, scope, quota=CREATE_QUOTA),
            # An address for the image of an app, which sends no token with it; the signature is its permission.
            route("GET", one + "/file/{owner}", self.file, auth=Auth.NONE),
        ]

    async def upload(self, request: MastodonRequest) -> web.Response:
        """Receive a file, and store it until its status is posted."""
        async with self._receiver.receive(request.http, videos=True) as received:
            texts = {name: values[-1] for name, values in received.texts.items()}
            description = Description.model_validate(texts).description or ""
            medium = await self._store(request.viewer.user_id, received, description)
        return respond(self._entity(medium, request.viewer.user_id))

    async def get(self, request: MastodonRequest) -> web.Response:
        """Return media that wait for their status."""
        viewer_id = request.viewer.user_id
        return respond(self._entity(await self._reader.get(viewer_id, request.id()), viewer_id))

    async def describe(self, request: MastodonRequest) -> web.Response:
        """Change the description."""
        viewer_id = request.viewer.user_id
        medium = await self._reader.get(viewer_id, request.id())
        form = await request.form(Description)
        if form.description is not None:
            medium = replace(medium, description=form.description)
            await uploads.set_metadata(self._db, medium.id, user_id=viewer_id, metadata=medium.encoded())
        return respond(self._entity(medium, viewer_id))

    async def delete(self, request: MastodonRequest) -> web.Response:
        """Delete media that wait for their status."""
        medium = await self._reader.get(request.viewer.user_id, request.id())
        await self._actions.end(request.viewer.user_id, medium.id)
        return empty_response(200)

    async def file(self, request: MastodonRequest) -> web.StreamResponse:
        """Return the bytes of media that wait for their status, to clients with the signed address."""
        media_id, owner_id, query = request.id(), request.id("owner"), request.query(FileQuery)
        if not self._urls.seconds_left(_path(media_id, owner_id), query.exp, query.sig):
            raise NotFoundError("upload")
        upload = await uploads.get(self._db, media_id, user_id=owner_id)
        medium = medium_of(upload)
        blob = await self._blobs.open(upload.parts[0])
        headers = {"Content-Type": medium.content_type, "Cache-Control": "private, max-age=600"}
        return send_blob(request.http, blob, headers, tag=str(media_id))

    async def _store(self, viewer_id: int, received: ReceivedUpload, description: str) -> Medium:
        header = received.header
        medium = Medium(
            id=0,
            content_type=header.content_type,
            width=header.width,
            height=header.height,
            description=description,
        )
        upload = await self._actions.announce_resumable(
            viewer_id, size=received.size, metadata=medium.encoded(), sha256=received.sha256
        )
        lease = await self._actions.begin_part(upload)
        if lease is None or not await self._actions.end_part(
            upload, lease, received.path, size=received.size, whole_sha256=received.sha256
        ):
            raise ProblemError(503, "unavailable", "The file could not be stored. Send it again.")
        return medium_of(upload)

    def _entity(self, medium: Medium, owner_id: int) -> Entity:
        path = _path(medium.id, owner_id)
        url = self._links.absolute(f"{path}?{self._urls.sign(path)}")
        return attachment(
            str(medium.id),
            kind="video" if medium.content_type in VIDEO_TYPES else "image",
            url=url,
            preview_url=url,
            description=medium.description,
            original=size_of(medium.width, medium.height),
        )


def _path(media_id: int, owner_id: int) -> str:
    return f"/api/v1/media/{media_id}/file/{owner_id}"
