"""The key of push messages for the commands of operators, and the doctor's check of it."""

from __future__ import annotations

from server.administration.commands import open_database
from server.administration.findings import Finding
from server.composition.embedded import with_stored_key
from server.composition.push import push_contact, vapid_key
from server.composition.roles import is_embedded
from server.config.settings import Settings
from server.errors import InputError
from storage.stores.notifications import push_subscriptions
from workers.web_push.vapid import VapidKey

_NO_CONTACT = "; Apple refuses messages without push.contact, a mailto: URL of yours"


def create_key() -> VapidKey:
    """Return a new key; nothing is stored."""
    return VapidKey.generate()


def public_key(settings: Settings) -> str:
    """Return the public key with which browsers subscribe; raise `InputError` if there is no key, and `ConfigError`."""
    embedded = is_embedded(settings.database.url)
    key = vapid_key(with_stored_key(settings) if embedded else settings)
    if key is None:
        raise InputError(
            "There is no key. `picshare run` makes one in its data directory; for other processes, set push.vapid_key "
            "to what `picshare push create-key` prints."
        )
    return key.public


async def inspect_push(settings: Settings) -> Finding:
    """Check the key, and count the subscriptions; raise `StorageError`, `ServerError`."""
    if vapid_key(settings) is None:
        return Finding(name="push", detail="off, because there is no key (`picshare push create-key`)")
    async with open_database(settings) as db:
        number, refused = await push_subscriptions.number(db)
    detail = f"{number:,} subscriptions, {refused:,} of them refused last"
    if push_contact(settings) is None:
        detail += _NO_CONTACT
    if number > 0 and refused > number / 2:
        return Finding(
            name="push",
            detail=detail,
            remedy="See the log events push_refused: another key than before makes all subscriptions useless.",
        )
    return Finding(name="push", detail=detail)
