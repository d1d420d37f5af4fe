"""The decoder process for videos: `workers.images.child` with FFmpeg, in the same sandbox.

To a request with `max_seconds` it responds with the MP4 and the poster under "video", to others as for images.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av

from workers.images import child
from workers.images.child import Respond
from workers.images.decode import ImageRejectedError
from workers.videos import make
from workers.videos.limits import MAX_SECONDS

_CODECS = ("h264", "hevc", "libvpx-vp9", "vp9", "libdav1d", "aac")
# What the warm-up encodes: a picture in two depths of colour, and sound.
_SIZE, _FRAMES, _RATE = 64, 4, 48_000


def main() -> None:
    """Respond to the parent until its end of the socket is closed."""
    av.logging.set_level(None)
    child.main(extend=_extended, warm=_warm)


def _extended(respond: Respond) -> Respond:
    def extended(request: dict[str, Any], data: bytes) -> dict[str, Any]:
        if "max_seconds" not in request:
            return respond(request, data)
        try:
            made = make.make(data, max_seconds=request["max_seconds"])
        except ImageRejectedError as error:
            return {"rejected": str(error)}
        except MemoryError:
            return {"rejected": "the video needs more memory to decode than is allowed"}
        return {"video": {"file": made.file, "poster": made.poster}}

    return extended


def _warm() -> None:
    """Use everything once, because neither libraries nor modules of Python can be loaded in the sandbox."""
    for name in _CODECS:
        av.Codec(name, "r")
    for codec, pixels, colours in (("libx264", "yuv420p", None), ("libx264", "yuv444p10le", (9, 18, 9))):
        make.make(_sample(codec, pixels, colours), max_seconds=MAX_SECONDS)


def _sample(codec: str, pixels: str, colours: tuple[int, int, int] | None) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        picture: Any = container.add_stream(codec, rate=30, options={"preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = _SIZE, _SIZE, pixels
        picture.codec_context.thread_count = 1
        sound: Any = container.add_stream("mp2", rate=_RATE, layout="mono")
        for number in range(_FRAMES):
            frame = av.VideoFrame(_SIZE, _SIZE, pixels)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))  # it may have anything, and x264 ends the process for that
            frame.pts = number
            if colours is not None:
                frame.color_primaries, frame.color_trc, frame.colorspace = colours
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        tone = av.AudioFrame("s16", "mono", sound.codec_context.frame_size)
        tone.planes[0].update(bytes(tone.planes[0].buffer_size))
        tone.sample_rate, tone.pts, tone.time_base = _RATE, 0, Fraction(1, _RATE)
        container.mux([*sound.encode(tone), *sound.encode(None)])
    return buffer.getvalue()


if __name__ == "__main__":
    main()
