"""What operators do about applications of other developers: delete one."""

from __future__ import annotations

import structlog

from server.administration.commands import open_database
from server.config.settings import Settings
from storage.errors import NotFoundError
from storage.ids import BadIdError, decode
from storage.stores.credentials import oauth_clients

log = structlog.get_logger(__name__)


async def delete(settings: Settings, client_id: str) -> str:
    """Delete an application and return its name; raise `NotFoundError("application")`.

    It gets no tokens any more. The janitor of the workers ends those that it has.
    """
    try:
        found = decode(client_id)
    except BadIdError as error:
        raise NotFoundError("application") from error
    async with open_database(settings) as db, db.transaction() as tx:
        application = await oauth_clients.get(tx, found)
        await oauth_clients.delete(tx, found)
    log.warning("application_deleted", application=client_id, name=application.name)
    return application.name
