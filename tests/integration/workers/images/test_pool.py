"""The decoder's processes: bounded, replaceable, and never left behind."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import termios
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image
from structlog.testing import capture_logs

from server.operation.metrics import Metrics
from storage.blobs.variants import Variant
from tests.support.eventually import eventually
from tests.support.pictures import case, encoded, photograph
from workers.images import sandbox
from workers.images.decode import ImageRejectedError, decode
from workers.images.limits import DecoderLimits
from workers.images.pool import Decoder
from workers.images.process import Child, DeadlineError
from workers.images.published import ForeignBytesError

SHORT = 5.0  # seconds; a photograph takes a fifth of a second, on a busy machine some


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    """A decoder of one process, with a short deadline."""
    decoder = Decoder(processes=1, limits=DecoderLimits(deadline=SHORT))
    yield decoder
    await decoder.close()


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Path]:
    """A file whose end does not come: a pipe that has a writer, and one byte."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, b"x")
    yield path
    os.close(writer)


async def being_read(endless: Path) -> None:
    """Wait until a child reads the endless file."""
    reader = os.open(endless, os.O_RDONLY | os.O_NONBLOCK)
    unread = array("i", [1])
    await eventually(lambda: fcntl.ioctl(reader, termios.FIONREAD, unread) == 0 and unread[0] == 0)
    os.close(reader)


def crashing() -> bytes:
    """Return an image that crashes libheif 1.23.0: a byte of it was changed at random."""
    data = bytearray(case("rotated.heic"))
    data[177] = 178
    return bytes(data)


def children() -> list[psutil.Process]:
    """Return the decoder processes of this test run."""
    return [child for child in psutil.Process().children() if "workers.images.child" in child.cmdline()]


async def test_a_child_decodes_like_the_function(decoder: Decoder) -> None:
    """The result of a child is exactly that of the function."""
    assert await decoder.variants(photograph()) == decode(photograph().read_bytes())


async def test_the_sandbox_is_reported() -> None:
    """The active layers of the children's sandbox are recorded once they have started."""
    metrics = Metrics()
    decoder = Decoder(processes=1, metrics=metrics)
    await decoder.start()
    await decoder.close()
    for layer in sandbox.LAYERS:
        assert metrics.registry.get_sample_value("picshare_decoder_sandbox", {"layer": layer}) == 1


async def test_each_attempt_is_measured(endless: Path, tmp_path: Path) -> None:
    """Attempts are recorded with the format of the file and their outcome; cancelled ones have failed."""
    metrics = Metrics()
    decoder = Decoder(processes=1, limits=DecoderLimits(deadline=SHORT), metrics=metrics)
    (tmp_path / "page").write_bytes(b"<!doctype html>")
    (tmp_path / "crash").write_bytes(crashing())
    await decoder.variants(photograph())
    for path in (tmp_path / "page", endless, tmp_path / "crash"):
        with pytest.raises(ImageRejectedError):
            await decoder.variants(path)
    writer = os.open(endless, os.O_RDWR)
    os.write(writer, b"x")
    task = asyncio.create_task(decoder.variants(endless))
    await being_read(endless)
    os.close(writer)
    task.cancel()
    await asyncio.wait([task])
    await decoder.close()
    series = {
        ("jpeg", "decoded"): 1,
        ("unknown", "rejected"): 1,
        ("unknown", "deadline"): 1,
        ("heic", "crashed"): 2,
        ("unknown", "failed"): 1,
    }
    for (name, outcome), count in series.items():
        labels = {"format": name, "outcome": outcome}
        assert metrics.registry.get_sample_value("picshare_decode_seconds_count", labels) == count, labels


async def test_a_child_yields_to_requests(decoder: Decoder) -> None:
    """A child has a lower priority in the session of the service, and a group that Ctrl-C does not reach.

    Where Linux groups processes by session (sched(7), autogroup), a priority counts only within a session.
    """
    await decoder.start()
    (child,) = children()
    assert os.getsid(child.pid) == os.getsid(0)
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert child.nice() > psutil.Process().nice()


async def test_a_rejection_has_its_reason(decoder: Decoder, tmp_path: Path) -> None:
    """A rejection is returned with its reason, and the same child goes on."""
    await decoder.start()
    before = [child.pid for child in children()]
    (tmp_path / "x").write_bytes(b"<svg/>")
    with pytest.raises(ImageRejectedError, match="not a picture of the types JPEG, PNG"):
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
    assert time.monotonic() - started < 1.9 * SHORT
    assert (await decoder.variants(photograph())).width == 640
    after = [child.pid for child in children()]
    assert len(after) == 1
    assert before != after


async def test_a_crash_affects_one_image_only(endless: Path) -> None:
    """When a child is killed, other images are not affected, and its own is tried again."""
    decoder = Decoder(processes=2)
    try:
        victim = asyncio.create_task(decoder.variants(endless))
        await being_read(endless)
        (reader,) = children()
        # The killed child reads an endless pipe; the second try finds a picture under the same name.
        endless.unlink()
        endless.write_bytes(photograph("cat").read_bytes())
        others = asyncio.create_task(_many(decoder, 5))
        reader.kill()
        await others
        assert (await victim).width == 451
        assert reader.pid not in {child.pid for child in children()}
    finally:
        await decoder.close()


async def _many(decoder: Decoder, count: int) -> None:
    for _ in range(count):
        assert (await decoder.variants(photograph())).width == 640


async def test_an_image_that_crashes_a_codec_is_a_rejection(decoder: Decoder, tmp_path: Path) -> None:
    """An image that ends the child is rejected after a second attempt, and the next one is decoded."""
    (tmp_path / "x").write_bytes(crashing())
    with capture_logs() as logs, pytest.raises(ImageRejectedError, match="makes the decoder fail"):
        await decoder.variants(tmp_path / "x")
    assert [(entry["event"], entry["attempt"]) for entry in logs] == [("decoder_crashed", 1), ("decoder_crashed", 2)]
    assert (await decoder.variants(photograph())).width == 640


class TakenOver(Decoder):
    """A decoder whose processes have been taken over."""

    async def _start(self) -> Child:
        return await Child.start(DecoderLimits(), module="tests.support.taken_over")


async def test_a_child_that_responds_with_something_else_has_crashed() -> None:
    """Nothing of a response that a decoder does not give is used; the child is replaced."""
    decoder = TakenOver(processes=1)
    with capture_logs() as logs, pytest.raises(ImageRejectedError, match="makes the decoder fail"):
        await decoder.variants(photograph())
    assert [entry["error"] for entry in logs] == ["a response without the variants that were asked for"] * 2
    await decoder.close()


class Talkative(Decoder):
    """A decoder whose processes add a comment to what they encode."""

    async def _start(self) -> Child:
        return await Child.start(DecoderLimits(), module="tests.support.talkative")


async def test_a_variant_with_metadata_fails_the_job() -> None:
    """A variant with a comment is neither returned nor taken for a fault of the image, and its process is ended."""
    decoder = Talkative(processes=1)
    original = photograph()
    variant = [Variant(side=320, square=False, format="jpg")]
    for call in (decoder.variants, decoder.make):
        with pytest.raises(ForeignBytesError, match="of the type fe"):
            await call(original, variant)
        assert children() == []
    await decoder.close()


async def test_a_child_that_uses_up_its_processor_time_is_late() -> None:
    """The kernel ends it, however long it may take; this is no crash, after which an image is tried once more."""
    child = await Child.start(DecoderLimits(), module="tests.support.busy")
    with photograph().open("rb") as file, pytest.raises(DeadlineError, match="processor time"):
        await child.respond({"seconds": 0}, file.fileno(), 60)


async def test_slow_formats_have_more_time(tmp_path: Path) -> None:
    """A HEIC has three times the deadline of a JPEG, by its first bytes."""
    (tmp_path / "x").write_bytes(case("plain.heic"))
    decoder = Decoder(processes=1, limits=DecoderLimits(deadline=2.0))
    for path, deadline in ((photograph(), 2.0), (tmp_path / "x", 6.0)):
        await decoder.start()
        children()[0].suspend()
        started = time.monotonic()
        with pytest.raises(ImageRejectedError, match="takes too long"):
            await decoder.variants(path)
        assert deadline <= time.monotonic() - started < 3 * deadline
    await decoder.close()


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
    await being_read(endless)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
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
        await being_read(endless)
        orphans = psutil.Process(process.pid).children()
        assert len(orphans) == 2
    finally:
        process.kill()
        await process.communicate()
    await eventually(lambda: not any(_runs(orphan) for orphan in orphans))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
