"""The decoder's processes: bounded, replaceable, and never left behind."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.support.eventually import eventually
from tests.support.pictures import encoded, photograph
from workers.images.decode import ImageRejectedError, decode
from workers.images.limits import DecoderLimits
from workers.images.pool import Decoder


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    """A decoder of one process, with a short deadline."""
    decoder = Decoder(processes=1, limits=DecoderLimits(deadline=1.0))
    yield decoder
    await decoder.close()


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that cannot be read to its end."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


def children() -> list[psutil.Process]:
    """Return the decoder processes of this test run."""
    return [child for child in psutil.Process().children() if "workers.images.child" in child.cmdline()]


async def test_a_child_decodes_like_the_function(decoder: Decoder) -> None:
    """The result of a child is exactly that of the function."""
    assert await decoder.variants(photograph()) == decode(photograph())


async def test_a_rejection_has_its_reason(decoder: Decoder, tmp_path: Path) -> None:
    """A rejection is returned with its reason, and the same child goes on."""
    await decoder.start()
    before = [child.pid for child in children()]
    (tmp_path / "x").write_bytes(b"<svg/>")
    with pytest.raises(ImageRejectedError, match="not a JPEG or PNG"):
        await decoder.variants(tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        await decoder.variants(tmp_path / "missing")
    await decoder.variants(photograph())
    assert [child.pid for child in children()] == before


async def test_an_image_that_stalls_is_rejected(decoder: Decoder, endless: Path) -> None:
    """An image that stalls is rejected at its deadline, without a second attempt; the next one has a new child."""
    await decoder.start()
    before = [child.pid for child in children()]
    started = time.monotonic()
    with pytest.raises(ImageRejectedError, match="takes too long"):
        await decoder.variants(endless)
    assert time.monotonic() - started < 1.9
    assert (await decoder.variants(photograph())).width == 640
    after = [child.pid for child in children()]
    assert len(after) == 1
    assert before != after


async def test_a_crash_affects_one_image_only(endless: Path) -> None:
    """When a child is killed, other images are not affected, and its own is tried again."""
    decoder = Decoder(processes=2)
    try:
        victim = asyncio.create_task(decoder.variants(endless))
        writer = await opened(endless)
        (reader,) = children()
        # The killed child reads an endless pipe; the second try finds a picture under the same name.
        endless.unlink()
        endless.write_bytes(photograph("cat").read_bytes())
        others = asyncio.create_task(_many(decoder, 5))
        reader.kill()
        await others
        assert (await victim).width == 451
        assert reader.pid not in {child.pid for child in children()}
        os.close(writer)
    finally:
        await decoder.close()


async def _many(decoder: Decoder, count: int) -> None:
    for _ in range(count):
        assert (await decoder.variants(photograph())).width == 640


async def opened(path: Path) -> int:
    """Return a descriptor to write to a pipe, once there is a reader."""
    descriptor = await eventually(lambda: _try_open(path))
    assert descriptor is not None
    return descriptor


def _try_open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


async def test_an_unexpected_failure_is_a_rejection(decoder: Decoder, tmp_path: Path) -> None:
    """An image that makes the child fail unexpectedly is rejected after a second attempt."""
    with pytest.raises(ImageRejectedError, match="makes the decoder fail"):
        await decoder.variants(tmp_path)
    assert (await decoder.variants(photograph())).width == 640


async def test_memory_is_bounded(tmp_path: Path) -> None:
    """An image that needs more memory than allowed is rejected, and the child's memory stays bounded."""
    path = tmp_path / "large"
    path.write_bytes(encoded(Image.new("RGBA", (7000, 7000)), "PNG", compress_level=1))
    decoder = Decoder(processes=1, limits=DecoderLimits(memory=250_000_000))
    with pytest.raises(ImageRejectedError, match=r"memory|fail"):
        await decoder.variants(path)
    assert (await decoder.variants(photograph())).width == 640
    await decoder.close()


async def test_a_child_that_died_idle_is_replaced(decoder: Decoder) -> None:
    """A child that died while idle costs no image."""
    await decoder.start()
    children()[0].kill()
    assert (await decoder.variants(photograph())).width == 640


async def test_a_cancelled_image_leaves_no_response(decoder: Decoder, endless: Path) -> None:
    """The response to a cancelled image is not taken for that to the next."""
    task = asyncio.create_task(decoder.variants(endless))
    writer = await opened(endless)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    os.close(writer)
    assert (await decoder.variants(photograph("cat"))).width == 451


async def test_close_leaves_nothing() -> None:
    """After `close` no process is left."""
    decoder = Decoder(processes=2)
    await decoder.start()
    assert len(children()) == 2
    await decoder.close()
    assert children() == []


PARENT = """
import asyncio, pathlib, sys
from workers.images.pool import Decoder

async def main():
    decoder = Decoder(processes=2)
    await decoder.start()
    print("started", flush=True)
    await decoder.variants(pathlib.Path(sys.argv[1]))

asyncio.run(main())
"""


async def test_children_die_with_their_parent(endless: Path) -> None:
    """Children die with a parent that is killed, a busy child included."""
    root = Path(__file__).parents[4]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(endless), cwd=root, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"started\n"
        writer = await opened(endless)  # it stays open: the child waits for more
        orphans = psutil.Process(process.pid).children()
        assert len(orphans) == 2
    finally:
        process.kill()
        await process.communicate()
    await eventually(lambda: not any(_runs(orphan) for orphan in orphans))
    os.close(writer)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
