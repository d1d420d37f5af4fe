"""Models of the responses about lists of accounts."""

from __future__ import annotations

from server.edge.responses import Id, ResponseModel, Time
from storage import models
from storage.ids import encode
from storage.render.timestamps import timestamp


class AccountListResponse(ResponseModel):
    """A list of accounts, which only its owner sees; `accounts` is their number."""

    id: Id
    title: str
    accounts: int
    created_at: Time

    @classmethod
    def from_model(cls, found: models.AccountList) -> AccountListResponse:
        """Return the response for a list."""
        return cls(
            id=encode(found.id), title=found.title, accounts=found.accounts, created_at=timestamp(found.created_at)
        )
