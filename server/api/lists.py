"""`/lists`: the viewer's lists of accounts; `server.api.photo_feeds` has their photos."""

from __future__ import annotations

import orjson
from aiohttp import web

from server.actions.lists import QUOTA, ListActions
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.idempotency import Creation, Idempotency, created_response
from server.edge.list_requests import AccountListCreate, AccountListUpdate
from server.edge.list_responses import AccountListResponse
from server.edge.paging import Cursors, Pager
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse, UserSummaryResponse
from storage.errors import NotFoundError
from storage.models import AccountList
from storage.postgres.database import Queryable, Transaction
from storage.postgres.reads import Reads
from storage.stores import account_lists
from storage.stores.social import list_members, lists

_TAG = "lists"


class ListsApi:
    """Create, read, rename and delete lists, and change their accounts."""

    def __init__(self, reads: Reads, cursors: Cursors, actions: ListActions, idempotency: Idempotency) -> None:
        self._reads = reads
        self._cursors = cursors
        self._actions = actions
        self._idempotency = idempotency

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        one, accounts = "/lists/{id}", "/lists/{id}/accounts"
        return [
            Endpoint(
                method="GET",
                path="/lists",
                handler=self.all,
                summary="List your lists of accounts, newest first",
                tag=_TAG,
                query=ListQuery,
                response=ListResponse[AccountListResponse],
            ),
            Endpoint(
                method="POST",
                path="/lists",
                handler=self.create,
                summary="Create a list of accounts, whose photos are a feed of its own",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=AccountListCreate,
                status=201,
                response=AccountListResponse,
                errors=(409,),
                idempotent=True,
            ),
            Endpoint(
                method="GET",
                path=one,
                handler=self.get,
                summary="Get one of your lists",
                tag=_TAG,
                response=AccountListResponse,
                errors=(404,),
            ),
            Endpoint(
                method="PATCH",
                path=one,
                handler=self.rename,
                summary="Rename your list",
                tag=_TAG,
                quota=QUOTA,
                body=AccountListUpdate,
                response=AccountListResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path=one,
                handler=self.delete,
                summary="Delete your list; nothing changes for its accounts",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                errors=(404,),
            ),
            *self._account_endpoints(accounts),
        ]

    def _account_endpoints(self, accounts: str) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=accounts,
                handler=self.accounts,
                summary="List the accounts in your list",
                tag=_TAG,
                query=ListQuery,
                response=ListResponse[UserSummaryResponse],
                errors=(404,),
            ),
            Endpoint(
                method="PUT",
                path=accounts + "/{user}",
                handler=self.add,
                summary="Add an account to your list, without notice",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                status=204,
                errors=(404, 409),
            ),
            Endpoint(
                method="DELETE",
                path=accounts + "/{user}",
                handler=self.remove,
                summary="Remove an account from your list, without notice",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                errors=(404,),
            ),
            Endpoint(
                method="GET",
                path="/users/{id}/lists",
                handler=self.with_user,
                summary="List those of your lists that contain a user",
                tag=_TAG,
                response=ListResponse[AccountListResponse],
                errors=(404,),
            ),
        ]

    async def all(self, request: ApiRequest) -> web.Response:
        """Handle `GET /lists`."""
        query, viewer_id = request.query(ListQuery), request.viewer.user_id
        pager = Pager(self._cursors, f"lists of {viewer_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(viewer_id, lambda db: lists.page(db, viewer_id, before=before, limit=limit))
        page, next_cursor = pager.cut(found, query.limit, lambda each: each.id)
        return list_response([_json(each) for each in page], next_cursor)

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /lists`."""
        form = await request.body(AccountListCreate)

        async def create(tx: Transaction) -> bytes:
            return _json(await self._actions.create(tx, request.viewer.user_id, title=form.title))

        return created_response(
            await self._idempotency.create(Creation.of(request), orjson.dumps(form.model_dump()), create)
        )

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /lists/{id}`."""
        list_id, viewer_id = request.id(), request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: lists.get(db, list_id, owner_id=viewer_id))
        return json_response(_json(found))

    async def rename(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /lists/{id}`."""
        list_id, form = request.id(), await request.body(AccountListUpdate)
        return json_response(_json(await self._actions.rename(request.viewer.user_id, list_id, title=form.title)))

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /lists/{id}`."""
        await self._actions.delete(request.viewer.user_id, request.id())
        return empty_response()

    async def accounts(self, request: ApiRequest) -> web.Response:
        """Handle `GET /lists/{id}/accounts`."""
        query, list_id, viewer_id = request.query(ListQuery), request.id(), request.viewer.user_id
        pager = Pager(self._cursors, f"accounts of list {list_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: list_members.page(db, list_id, owner_id=viewer_id, before=before, limit=limit)
        )
        page, next_cursor = pager.cut(found, query.limit, lambda user: user.id)
        return list_response([UserSummaryResponse.from_model(user).to_bytes() for user in page], next_cursor)

    async def add(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /lists/{id}/accounts/{user}`."""
        await self._actions.add(request.viewer.user_id, request.id(), request.id("user"))
        return empty_response()

    async def remove(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /lists/{id}/accounts/{user}`."""
        await self._actions.remove(request.viewer.user_id, request.id(), request.id("user"))
        return empty_response()

    async def with_user(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{id}/lists`; not in pages, because a user has few lists."""
        user_id, viewer_id = request.id(), request.viewer.user_id

        async def read(db: Queryable) -> list[AccountList]:
            if user_id not in await account_lists.shown(db, [user_id], viewer_id=viewer_id):
                raise NotFoundError("user")
            return await lists.with_account(db, viewer_id, user_id)

        found = await self._reads.read(viewer_id, read)
        return list_response([_json(each) for each in found], None)


def _json(found: AccountList) -> bytes:
    return AccountListResponse.from_model(found).to_bytes()
