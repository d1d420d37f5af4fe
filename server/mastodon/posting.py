"""Post, edit and delete statuses: a photo of media that were uploaded before, or a comment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field

from server.actions import photos as photo_actions
from server.actions.catalog import Actions
from server.actions.posting import POST_QUOTA, PhotoDetails, finalise, store_pictures
from server.api.staging import UploadStaging
from server.edge.fields import AltText, Caption, CommentText
from server.edge.idempotency import Create, Created, Creation, Idempotency
from server.edge.photo_requests import NewItem
from server.edge.problem import ProblemError
from server.edge.requests import QueryModel
from server.identity.new_accounts import COMMENTS, UPLOADS, NewAccountLimiter
from server.identity.rate_limiter import RateLimiter
from server.mastodon.endpoint import Route, route
from server.mastodon.ids import StatusRef, comment_status, parse_picture, parse_status
from server.mastodon.media_routes import MediaReader
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.status_routes import StatusReader
from server.mastodon.statuses import audience_of
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.holds import HoldPolicy
from storage.models import Photo, PhotoAudience, PhotoState
from storage.postgres.database import Database, Transaction
from storage.stores.photos import photos
from storage.stores.photos.photo_item_edits import ItemEdit
from storage.stores.photos.photo_items import MAX_ITEMS, pictures_of

IMAGE_PATIENCE = 3.0  # seconds that a response waits for the images of a new photo
_POLL = (0.05, 0.4)  # seconds: the first and the longest pause between two looks at it


def _visibility(value: str) -> PhotoAudience:
    return audience_of(value)


def _items(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


IdText = Annotated[str, BeforeValidator(_text), Field(max_length=30)]
MediaIds = Annotated[list[IdText], BeforeValidator(_items), Field(max_length=MAX_ITEMS)]


class StatusForm(QueryModel):
    """A new status; `spoiler_text` becomes its first line, and marks it as sensitive."""

    status: str | None = None
    media_ids: MediaIds = Field(default=[])
    in_reply_to_id: Annotated[IdText | None, BeforeValidator(lambda value: value or None)] = None
    sensitive: bool = False
    spoiler_text: str = ""
    visibility: Annotated[PhotoAudience | None, BeforeValidator(lambda value: value and _visibility(value))] = None
    scheduled_at: str | None = None
    poll: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """Return the text with its warning."""
        return "\n\n".join(part for part in (self.spoiler_text, self.status or "") if part.strip())


class _CaptionOf(QueryModel):
    status: Caption


class _CommentOf(QueryModel):
    status: CommentText


class MediaAttribute(QueryModel):
    """The new description of a picture that the status has."""

    id: IdText
    description: AltText | None = None


def _attributes(value: Any) -> Any:
    # A form has them as an object with numbers as names, too.
    return list(value.values()) if isinstance(value, dict) else value


class EditForm(StatusForm):
    """The new text of a status, and its pictures: in their order, with their descriptions."""

    sensitive: bool | None = None  # type: ignore[assignment]
    media_attributes: Annotated[
        list[MediaAttribute], BeforeValidator(_attributes), Field(max_length=MAX_ITEMS), AfterValidator(list)
    ] = Field(default=[])


class PostingRoutes:
    """Changes of the viewer's own statuses; `patience` is how long a response waits for the images of a photo."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        actions: Actions,
        limiter: RateLimiter,
        new_accounts: NewAccountLimiter,
        *,
        staging: UploadStaging,
        media: MediaReader,
        reader: StatusReader,
        hold: HoldPolicy,
        patience: float = IMAGE_PATIENCE,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._actions = actions
        self._limiter = limiter
        self._new_accounts = new_accounts
        self._staging = staging
        self._media = media
        self._reader = reader
        self._hold = hold
        self._patience = patience
        self._idempotency = Idempotency(db)

    def routes(self) -> list[Route]:
        """Return the routes."""
        one, scope, quota = "/api/v1/statuses/{id}", "write:statuses", photo_actions.EDIT_QUOTA
        return [
            # What it is charged to depends on its body: a photo or a comment.
            route("POST", "/api/v1/statuses", self.post, scope, quota=quota, stores=True),
            route("PUT", one, self.edit, scope, quota=quota, stores=True),
            route("DELETE", one, self.delete, scope, quota=quota),
        ]

    async def post(self, request: MastodonRequest) -> web.Response:
        """Post a photo or a comment."""
        form = await request.form(StatusForm)
        if form.scheduled_at:
            raise _refused("PicShare cannot post at a later time. Post it then.")
        if form.poll:
            raise _refused("PicShare has no polls.")
        if form.in_reply_to_id is not None:
            return await self._comment(request, form, parse_status(form.in_reply_to_id))
        if not form.media_ids:
            raise _refused("A post on PicShare has a photo: add one to it. Text alone can only be a reply.")
        return await self._photo(request, form)

    async def edit(self, request: MastodonRequest) -> web.Response:
        """Change the text, the mark as sensitive, and the pictures' order and descriptions."""
        ref, viewer_id = request.status_ref(), request.viewer.user_id
        form = await request.form(EditForm)
        if ref.is_comment:
            text = _CommentOf.model_validate({"status": form.text}).status
            await self._actions.comments.edit(viewer_id, ref.id, text)
            return respond(await self._reader.status(ref, viewer_id))
        caption = None if form.status is None else _CaptionOf.model_validate({"status": form.text}).status
        items = await self._pictures(viewer_id, ref.id, form)
        await self._actions.photos.edit(viewer_id, ref.id, caption=caption, sensitive=form.sensitive, items=items)
        return respond(await self._reader.status(ref, viewer_id))

    async def delete(self, request: MastodonRequest) -> web.Response:
        """Delete a status, and return it with its text, from which an app may write it again."""
        ref, viewer_id = request.status_ref(), request.viewer.user_id
        status, text = await self._reader.status(ref, viewer_id), await self._reader.text(ref, viewer_id)
        await (self._actions.comments if ref.is_comment else self._actions.photos).delete(viewer_id, ref.id)
        return respond({**status, "text": text})

    async def _comment(self, request: MastodonRequest, form: StatusForm, ref: StatusRef) -> web.Response:
        if form.media_ids:
            raise _refused("A comment on PicShare has no pictures.")
        viewer_id = request.viewer.user_id
        text = _CommentOf.model_validate({"status": form.text}).status
        await self._new_accounts.charge(COMMENTS, viewer_id)
        photo_id, reply_to = ref.id, None
        if ref.is_comment:
            answered, photo = await self._reader.comment(ref.id, viewer_id)
            photo_id, reply_to = photo.id, answered.id

        async def comment(tx: Transaction) -> bytes:
            added = await self._actions.comments.add(tx, viewer_id, photo_id, text, reply_to=reply_to)
            return orjson.dumps({"id": comment_status(added.id)})

        return await self._created(request, form, comment)

    async def _photo(self, request: MastodonRequest, form: StatusForm) -> web.Response:
        viewer_id = request.viewer.user_id
        caption = _CaptionOf.model_validate({"status": form.text}).status
        replayed = await self._idempotency.replay(Creation.of(request), _content(form))
        if replayed is not None:
            return await self._answer(request, replayed)
        request.report_rate_limit(await self._limiter.charge_user(POST_QUOTA, viewer_id, len(form.media_ids)))
        await self._new_accounts.charge(UPLOADS, viewer_id)
        media = await self._media.of(viewer_id, form.media_ids)
        items = [NewItem.model_construct(upload_id=each.id, alt_text=each.description) for each in media]
        staged = await self._staging.stage(viewer_id, items)
        stored = await store_pictures(self._db, self._blobs, [(one.original, one.item.alt_text) for one in staged])
        details = PhotoDetails(
            caption=caption,
            tags=(),
            location=None,
            audience=form.visibility or PhotoAudience.PUBLIC,
            sensitive=form.sensitive or bool(form.spoiler_text.strip()),
        )

        async def create_photo(tx: Transaction) -> bytes:
            photo = await finalise(
                tx,
                stored,
                author_id=viewer_id,
                details=details,
                upload_ids=[item.upload_id for item in items],
                hold=self._hold,
            )
            return orjson.dumps({"id": str(photo.id)})

        return await self._created(request, form, create_photo)

    async def _created(self, request: MastodonRequest, form: StatusForm, create: Create) -> web.Response:
        return await self._answer(request, await self._idempotency.create(Creation.of(request), _content(form), create))

    async def _answer(self, request: MastodonRequest, created: Created) -> web.Response:
        """Return the present state of what a request has created, or a former one with the same key."""
        ref = parse_status(orjson.loads(created.body)["id"])
        viewer_id = request.viewer.user_id
        await self._reader.keep_position(viewer_id)
        if not ref.is_comment:
            await self._wait_for_images(ref.id)
        return respond(await self._reader.status(ref, viewer_id))

    async def _wait_for_images(self, photo_id: int) -> None:
        """Wait a moment for the images: an app shows the photo at once, and does not ask again."""
        loop = asyncio.get_running_loop()
        end, (pause, longest) = loop.time() + self._patience, _POLL
        while loop.time() < end:
            found = (await photos.load(self._db, [photo_id])).get(photo_id)
            if found is None or found.state is not PhotoState.PROCESSING:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    async def _pictures(self, viewer_id: int, photo_id: int, form: EditForm) -> Sequence[ItemEdit] | None:
        """Return the pictures that a photo is to have, None if an edit does not name any."""
        if not form.media_ids and not form.media_attributes:
            return None
        photo = await photos.get(self._db, photo_id, viewer_id=viewer_id)
        present = [picture.sha256 for picture in pictures_of(photo)]
        texts = {_place(each.id, photo): each.description for each in form.media_attributes}
        places = [_place(media_id, photo) for media_id in form.media_ids] or range(len(present))
        return [ItemEdit(sha256=present[place], alt_text=texts.get(place)) for place in places]


def _place(media_id: str, photo: Photo) -> int:
    found = parse_picture(media_id)
    if found.photo_id != photo.id or found.place >= max(1, len(photo.items)):
        raise NotFoundError("upload")
    return found.place


def _content(form: StatusForm) -> bytes:
    return orjson.dumps(form.model_dump(mode="json"))


def _refused(detail: str) -> ProblemError:
    return ProblemError(422, "invalid_input", detail)
