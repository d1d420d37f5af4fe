"""Create users, follows and photos in the database by the stores."""

from __future__ import annotations

import itertools

from storage.postgres.database import Database
from storage.stores.accounts import account_fields, users
from storage.stores.photos import photo_deletion, photo_processing, photos
from storage.stores.social import follows

_numbers = itertools.count(1)


class Gallery:
    """Creates users, follows and photos; names and contents are numbered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def user(self, name: str | None = None, *, private: bool = False) -> int:
        """Create an account and return its id."""
        name = name or f"person{next(_numbers)}"
        async with self._database.transaction() as tx:
            user = await users.create(
                tx, username=name, email=f"{name}@example.org", password_hash="-", display_name=name.title()
            )
            if private:
                await account_fields.update(tx, user.id, private=True)
        return user.id

    async def photo(self, author_id: int, caption: str = "", *, ready: bool = True) -> int:
        """Create a photo and return its id."""
        async with self._database.transaction() as tx:
            photo = await photos.create(
                tx,
                author_id=author_id,
                sha256=f"{next(_numbers):064x}",
                content_type="image/jpeg",
                bytes=1000,
                width=640,
                height=427,
                caption=caption,
                alt_text="",
                tags=["test"],
                location=None,
            )
            if ready:
                await photo_processing.mark_ready(tx, photo.id, width=640, height=427, placeholder=None, exif=None)
        return photo.id

    async def delete(self, photo_id: int, author_id: int) -> None:
        """Delete a photo."""
        async with self._database.transaction() as tx:
            await photo_deletion.delete(tx, photo_id, author_id=author_id)

    async def follow(self, follower_id: int, followee_id: int) -> None:
        """Follow a public account."""
        async with self._database.transaction() as tx:
            await follows.follow(tx, follower_id, followee_id)

    async def unfollow(self, follower_id: int, followee_id: int) -> None:
        """Unfollow."""
        async with self._database.transaction() as tx:
            await follows.unfollow(tx, follower_id, followee_id)
