"""Creator and licence in the images of a content: published, unless an author of the content does not want it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.keys import variant_key, variants_prefix
from storage.blobs.variants import Variant, VariantRegistry
from storage.cache.variant_states import VariantStates
from storage.events import PhotoUploaded, ProfileImageUploaded, VariantWanted
from storage.models import Photo, PhotoState, ProfileImageKind, User
from storage.postgres.database import Database
from storage.stores.accounts import account_fields
from storage.stores.media import contents, profile_images
from storage.stores.photos import photo_deletion, photos
from tests.support.community import new_user
from tests.support.originals import post
from tests.support.pictures import exif_with_gps, photograph
from tests.support.texts_in_files import file_with_xmp, xmp_packet
from workers.errors import Retry
from workers.images.decode import Decoded
from workers.images.pool import Decoder
from workers.jobs.media.contents import ContentRemover
from workers.jobs.media.media import MediaHandlers
from workers.jobs.media.variants import VariantHandlers

pytestmark = pytest.mark.engines

REGISTRY = VariantRegistry()
EAGER = set(REGISTRY.eager)
CREATOR = "Ann Author"
ORIGINAL = file_with_xmp(
    "JPEG",
    xmp_packet(creator=CREATOR, rights="© Ann", web_statement="https://ann.example", description="A secret note"),
    exif=exif_with_gps().tobytes(),
)


@dataclass
class Scene:
    """Two authors, the second of whom has opted out; a file store, and the handlers."""

    database: Database
    blobs: FileBlobs
    decoder: Decoder
    redis: Any
    ann: User
    ben: User

    def media(self, decoder: Decoder | None = None) -> MediaHandlers:
        """Return the handlers of the worker "media"."""
        return MediaHandlers(self.database, self.blobs, decoder or self.decoder)

    async def post(self, author: User, data: bytes = ORIGINAL) -> Photo:
        """Post a photo."""
        return await post(self.database, self.blobs, author, data)

    async def process(self, photo: Photo, decoder: Decoder | None = None) -> None:
        """Handle the upload."""
        await self.media(decoder).uploaded(PhotoUploaded(photo_id=photo.id, author_id=photo.author.id))

    async def request(self, photo: Photo, name: str, decoder: Decoder | None = None) -> None:
        """Make a lazy variant."""
        states = VariantStates(self.redis)
        handlers = VariantHandlers(self.database, self.blobs, decoder or self.decoder, REGISTRY, states)
        await handlers.wanted(VariantWanted(sha256=photo.sha256, recipe=1, name=name))

    async def published(self, sha256: str) -> dict[str, bool]:
        """Return for each stored variant whether it names the creator."""
        found = [blob.key async for blob in self.blobs.list(variants_prefix(sha256))]
        return {key.rpartition("/")[2]: CREATOR.encode() in await self.read(key) for key in found}

    async def read(self, key: str) -> bytes:
        """Return the bytes of an object."""
        return b"".join([chunk async for chunk in (await self.blobs.open(key)).chunks()])

    async def state(self, photo: Photo) -> PhotoState:
        """Return the state of a photo."""
        return (await photos.load(self.database, [photo.id]))[photo.id].state


@pytest.fixture
async def scene(database: Database, redis: Any, tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene with a decoder of one process."""
    decoder = Decoder(processes=1)
    ann, ben = await new_user(database, "ann"), await new_user(database, "ben")
    async with database.transaction() as tx:
        await account_fields.update(tx, ben.id, publish_rights=False)
    yield Scene(database, FileBlobs(tmp_path), decoder, redis, ann, ben)
    await decoder.close()


def all_of(names: set[str], *, named: bool) -> Mapping[str, bool]:
    """Return what is expected of variants that all name the creator, or all do not."""
    return dict.fromkeys(names, named)


async def test_images_name_the_creator_by_default(scene: Scene) -> None:
    """Eager and lazy variants have creator and licence, and nothing else of the file's metadata."""
    photo = await scene.post(scene.ann)
    await scene.process(photo)
    await scene.request(photo, "640.avif")
    assert await scene.published(photo.sha256) == all_of({*EAGER, "640.avif"}, named=True)
    for name in (*EAGER, "640.avif"):
        data = await scene.read(variant_key(photo.sha256, 1, name))
        assert b"https://ann.example" in data
        assert b"secret" not in data
        assert b"Optics" not in data


async def test_an_author_can_keep_them_out(scene: Scene) -> None:
    """The images of an author who has opted out name no creator."""
    photo = await scene.post(scene.ben)
    await scene.process(photo)
    await scene.request(photo, "640.avif")
    assert await scene.published(photo.sha256) == all_of({*EAGER, "640.avif"}, named=False)


async def test_of_two_authors_of_a_content_the_one_who_opted_out_counts(scene: Scene) -> None:
    """What others have published before is made again without, and stays so for those who come later."""
    first = await scene.post(scene.ann)
    await scene.process(first)
    await scene.request(first, "640.webp")
    assert await scene.published(first.sha256) == all_of({*EAGER, "640.webp"}, named=True)
    await scene.process(await scene.post(scene.ben))
    assert await scene.published(first.sha256) == all_of(EAGER, named=False)
    await scene.request(first, "640.webp")
    await scene.process(await scene.post(scene.ann))
    await scene.request(first, "640.webp")
    assert await scene.published(first.sha256) == all_of({*EAGER, "640.webp"}, named=False)


class Interrupted(Decoder):
    """A decoder after whose work, but before its result is stored, another author who has opted out posts the file."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(processes=1)
        self._scene = scene
        self.calls = 0

    async def variants(self, original: Path, variants: Sequence[Variant] = (), *, rights: bool = False) -> Decoded:
        """Return what a decoder returns."""
        decoded = await self._scene.decoder.variants(original, variants, rights=rights)
        await self._post_other(original.name)
        return decoded

    async def make(self, original: Path, variants: Sequence[Variant], *, rights: bool = False) -> Mapping[str, bytes]:
        """Return what a decoder returns."""
        made = await self._scene.decoder.make(original, variants, rights=rights)
        await self._post_other(original.name)
        return made

    async def _post_other(self, sha256: str) -> None:
        self.calls += 1
        if self.calls == 1:
            await self._scene.process(await self._scene.post(self._scene.ben))


async def test_an_author_who_opts_out_meanwhile_counts(scene: Scene) -> None:
    """An image that was made before is not left in the store, and the job is done again."""
    photo = await scene.post(scene.ann)
    with pytest.raises(Retry):
        await scene.process(photo, Interrupted(scene))
    assert not any((await scene.published(photo.sha256)).values())
    await scene.process(photo)
    assert await scene.state(photo) is PhotoState.READY
    assert await scene.published(photo.sha256) == all_of(EAGER, named=False)


async def test_a_lazy_variant_is_made_again_if_an_author_opts_out_meanwhile(scene: Scene) -> None:
    """A variant that was made before is replaced."""
    photo = await scene.post(scene.ann)
    await scene.process(photo)
    decoder = Interrupted(scene)
    await scene.request(photo, "640.webp", decoder)
    assert decoder.calls == 2
    assert await scene.published(photo.sha256) == all_of({*EAGER, "640.webp"}, named=False)


async def test_a_file_that_names_nobody_costs_nothing(scene: Scene) -> None:
    """Where there is nothing to keep out, the variants of others stay."""
    data = photograph("cat").read_bytes()
    first = await scene.post(scene.ann, data)
    await scene.process(first)
    await scene.request(first, "640.webp")
    await scene.process(await scene.post(scene.ben, data))
    assert await scene.published(first.sha256) == all_of({*EAGER, "640.webp"}, named=False)


@pytest.mark.parametrize("opted_out", [False, True])
async def test_the_setting_holds_for_avatars(scene: Scene, opted_out: bool) -> None:
    """An avatar follows the setting of its user."""
    author = scene.ben if opted_out else scene.ann
    photo = await scene.post(author)
    async with scene.database.transaction() as tx:
        await profile_images.create(
            tx,
            user_id=author.id,
            kind=ProfileImageKind.AVATAR,
            sha256=photo.sha256,
            content_type="image/jpeg",
            size=len(ORIGINAL),
        )
    event = ProfileImageUploaded(user_id=author.id, kind="avatar", sha256=photo.sha256)
    await scene.media().handlers()[event.topic](event)
    assert await scene.published(photo.sha256) == all_of(EAGER, named=not opted_out)


async def test_a_content_that_is_stored_again_is_decided_again(scene: Scene) -> None:
    """The decision ends with the content: after its removal the same file can be published with its creator."""
    photo = await scene.post(scene.ben)
    await scene.process(photo)
    async with scene.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=scene.ben.id)
    await ContentRemover(scene.database, scene.blobs).remove(photo.sha256)
    assert await contents.find(scene.database, photo.sha256) is None
    again = await scene.post(scene.ann)
    await scene.process(again)
    assert await scene.published(again.sha256) == all_of(EAGER, named=True)
