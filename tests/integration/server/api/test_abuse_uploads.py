"""Abuse of uploads: each test states the attempt and the expected response."""

from __future__ import annotations

import asyncio
import dataclasses
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.support.api import Api, InspectableServices, running_api
from tests.support.api_user import ApiUser
from tests.support.eventually import DEADLINE
from tests.support.pictures import encoded, halves, photograph, png_of
from tests.support.raw_http import exchange, part, post_photo

pytestmark = pytest.mark.engines

END = b"--b--\r\n"


def with_pace(services: InspectableServices, *, idle_timeout: float) -> InspectableServices:
    """Return the services with another bound on the gaps in a body."""
    pace = dataclasses.replace(services.settings.body_pace, idle_timeout=idle_timeout)
    return dataclasses.replace(services, settings=dataclasses.replace(services.settings, body_pace=pace))


async def test_decompression_bombs_are_refused_from_the_header(api: Api) -> None:
    """A PNG whose header declares more than 64 Mpx, or 4 billion, is a 413 before anything is decoded."""
    ann = await api.user()
    for width, height in ((8_193, 8_192), (65_535, 65_535), (2**31 - 1, 2**31 - 1)):
        problem = (await ann.try_upload(png_of(width, height))).expect(413)
        assert problem["code"] == "image_too_large"
    (await ann.try_upload(png_of(8_192, 8_192))).expect(201)


async def test_an_animated_bomb_is_refused_from_the_header(api: Api) -> None:
    """An animation with too many pixels in all its frames is a 413, however small its file is."""
    ann = await api.user()
    problem = (await ann.try_upload(png_of(5_000, 5_000, frames=22))).expect(413)
    assert problem["code"] == "image_too_large"
    assert "22 frames" in problem["detail"]


FOREIGN = [
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    b"%PDF-1.7\n",
    b"#!/bin/sh\nid\n",
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nfile:///etc/passwd\n",
    b"RIFF\x00\x00\x00\x00WAVEfmt ",
    b"II*\0" + bytes(40),
    b"<html><script>alert(1)</script></html>",
    b"PK\x03\x04",
    b"\x89PN",
    b"\x1aE\xdf\xa3\x9fB\x86\x81\x01",  # Matroska, WebM
]


async def test_svg_xml_pdf_and_scripts_named_jpg_are_415(api: Api) -> None:
    """The bytes determine the type of a file, not its name or declared type."""
    ann = await api.user()
    for data in FOREIGN:
        problem = (await ann.try_upload(data)).expect(415)
        assert problem["code"] == "unsupported_media_type", data
        assert "Send a JPEG, PNG, WebP, AVIF, GIF or HEIC, or an MP4 or QuickTime video." in problem["detail"]


async def test_a_file_that_only_begins_as_an_image_is_422(api: Api) -> None:
    """A file with the first bytes of an accepted type and no image is named as damaged."""
    ann = await api.user()
    for data in (b"GIF89a" + bytes(20), b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"\0\0\0\x14ftypheic\0\0\0\0mif1"):
        assert (await ann.try_upload(data)).expect(422)["code"] == "image_corrupt", data


NAMES = ["../../../../etc/cron.d/x", "a\x00b.jpg", "gpj.\u202eexe", "C:\\x\\y.jpg", "", "x" * 4000]


async def test_the_file_name_is_ignored(api: Api) -> None:
    """Path traversal, NUL and right-to-left marks in a file name have no effect: it is not even read."""
    ann = await api.user()
    for name in NAMES:
        header = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode("utf-8", "replace")
        body = b"--b\r\n" + header + encoded(halves()) + b"\r\n" + END
        response = await exchange(api.port, post_photo(ann.token, body, more="Connection: close\r\n"), within=DEADLINE)
        assert response.status == 201, name
    assert sorted(path.name for path in api.services.settings.upload_dir.iterdir()) == []


CORRUPT = [
    (b"", "empty"),
    (photograph().read_bytes()[:100], "ends within"),
    (b"\xff\xd8\xff\xd9", "contains no image"),
    (b"\xff\xd8\xff\xe0\x00\x00", "is invalid"),
    (png_of(10, 10, rows=1)[:20], "ends within"),
    (png_of(0, 10), "is invalid"),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "does not begin"),
]


async def test_zero_byte_and_corrupt_headers_are_422_with_the_reason(api: Api) -> None:
    """An invalid image is refused with a reason that a user understands."""
    ann = await api.user()
    for data, reason in CORRUPT:
        problem = (await ann.try_upload(data)).expect(422)
        assert problem["code"] == "image_corrupt", data
        assert reason in problem["detail"], data
        assert problem["errors"][0]["field"] == "file"
    assert list(api.services.settings.upload_dir.iterdir()) == []  # nothing of what was refused is kept


async def test_a_form_with_10_000_parts_is_refused_within_a_second(api: Api) -> None:
    """A form may have twice as many parts as there are fields and tags."""
    ann = await api.user()
    body = b"".join(part(f"f{number}", b"x") for number in range(10_000)) + END
    response = await exchange(api.port, post_photo(ann.token, body))
    assert response.status == 413
    assert "parts" in response.text


async def test_a_part_header_of_1_mb_is_refused_within_a_second(api: Api) -> None:
    """A header that is too long is refused before its end."""
    ann = await api.user()
    body = part("file", b"x", header="X-Long: " + "x" * 1_000_000 + "\r\n") + END
    assert (await exchange(api.port, post_photo(ann.token, body))).status == 413


async def test_a_request_header_of_1_mb_is_refused_within_a_second(api: Api) -> None:
    """The same holds for the header of the request."""
    request = b"GET /api/v1/photos HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 1_000_000 + b"\r\n\r\n"
    assert 400 <= (await exchange(api.port, request)).status < 500


async def test_a_body_smaller_than_declared_is_refused(services: InspectableServices) -> None:
    """A complete form whose declared length is larger is a 400 that says so, once nothing more arrives."""
    async with running_api(with_pace(services, idle_timeout=0.4)) as api:
        ann = await api.user()
        body = part("file", encoded(halves())) + END
        response = await exchange(api.port, post_photo(ann.token, body, declared=len(body) + 1000))
    assert response.status == 400
    assert "shorter than declared" in response.text


async def test_the_last_bytes_of_a_complete_form_may_be_late(api: Api) -> None:
    """A form whose end arrives 0.7 seconds after its final boundary is accepted."""
    ann = await api.user()
    body = part("file", encoded(halves())) + END + b"an epilogue"
    request = post_photo(ann.token, body, more="Connection: close\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request[:-9])
    await asyncio.sleep(0.7)  # the delay is the case itself
    writer.write(request[-9:])
    status = await reader.readline()
    writer.close()
    assert b"201" in status


async def is_too_large(user: ApiUser, body: AsyncIterator[bytes]) -> None:
    """Upload a form that does not end; it is refused with 413, or the connection is closed meanwhile."""
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        response = await user.call("POST", "/photos", data=body, headers=headers)
    except aiohttp.ClientError:
        return  # closed while it was still sending
    assert response.expect(413)["code"] == "photo_too_large"


async def test_an_endless_epilogue_is_refused_at_the_limit(api: Api) -> None:
    """What follows the final boundary counts as a part of the body."""
    ann = await api.user()

    async def endless() -> AsyncIterator[bytes]:
        yield part("file", encoded(halves())) + END
        while True:
            yield bytes(100_000)

    await is_too_large(ann, endless())


async def test_all_fields_with_all_tags_fit_into_a_form(api: Api) -> None:
    """Thirty tags and every other field are accepted together; one tag more is reported as that."""
    ann = await api.user()
    texts = part("caption", b"c") + part("alt_text", b"a") + part("location", b"l")
    tags = [part("tags", f"tag{number}".encode()) for number in range(31)]
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for given, status in ((tags[:30], 201), (tags, 422)):
        body = texts + b"".join(given) + part("file", encoded(halves())) + END
        response = await ann.call("POST", "/photos", data=body, headers=kind)
        problem = response.expect(status)
    assert problem["errors"][0]["field"] == "tags"


async def test_the_file_name_may_come_before_the_name(api: Api) -> None:
    """The field of a part is found in any order of its parameters, also when the file name looks like one."""
    ann = await api.user()
    head = b'--b\r\nContent-Disposition: form-data; filename="a; name=caption.jpg"; name="file"\r\n\r\n'
    body = head + encoded(halves()) + b"\r\n" + END
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    (await ann.call("POST", "/photos", data=body, headers=kind)).expect(201)


async def test_a_body_larger_than_declared_is_refused_within_a_second(api: Api) -> None:
    """Bytes after the declared length are not part of the form, which is then incomplete."""
    ann = await api.user()
    body = part("file", encoded(halves())) + END
    response = await exchange(api.port, post_photo(ann.token, body, declared=len(body) - 200))
    assert response.status == 400


async def test_a_body_declared_too_large_is_refused_before_it_is_sent(api: Api) -> None:
    """A declared gigabyte is refused at once."""
    ann = await api.user()
    response = await exchange(api.port, post_photo(ann.token, b"--b\r\n", declared=1_000_000_000))
    assert response.status == 413


async def test_a_photo_one_byte_too_large_is_refused(services: InspectableServices) -> None:
    """The limit is the photo's own size, whatever else the form contains."""
    data = encoded(halves())
    for limit, status in ((len(data), 201), (len(data) - 1, 413)):
        upload = dataclasses.replace(services.settings.upload, max_bytes=limit)
        settings = dataclasses.replace(services.settings, upload=upload)
        async with running_api(dataclasses.replace(services, settings=settings)) as api:
            ann = await api.user()
            assert (await ann.try_upload(data, "x" * 1000)).status == status


async def test_an_endless_chunked_body_is_refused_at_the_limit(api: Api) -> None:
    """Without a declared length, the limit is enforced while reading."""
    ann = await api.user()

    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n\xff\xd8\xff'
        while True:
            yield bytes(100_000)

    await is_too_large(ann, endless())


BROKEN = [
    (b"", "multipart/form-data; boundary=b", 400),
    (b"no form at all", "multipart/form-data; boundary=b", 400),
    (END, "multipart/form-data; boundary=b", 422),
    (part("caption", b"alone") + END, "multipart/form-data; boundary=b", 422),
    (b"--b\r\n\r\n\r\nno name\r\n" + END, "multipart/form-data; boundary=b", 400),
    (part("file", b"1") + part("file", b"2") + END, "multipart/form-data; boundary=b", 422),
    (part("unknown", b"1") + part("file", encoded(halves())) + END, "multipart/form-data; boundary=b", 422),
    (part("caption", b"\xff") + part("file", encoded(halves())) + END, "multipart/form-data; boundary=b", 422),
    (part("caption", b"x" * 20_000) + END, "multipart/form-data; boundary=b", 413),
    (part("caption", b"x" * 3000) + part("file", encoded(halves())) + END, "multipart/form-data; boundary=b", 422),
    (b"x", "multipart/form-data", 400),
    (b"x", "multipart/mixed; boundary=b", 415),
    (b"{}", "application/json", 422),
    (b"x", "", 415),
]


async def test_broken_forms_are_4xx(api: Api) -> None:
    """Each malformed form is a 4xx with a reason, and the service continues."""
    ann = await api.user()
    for body, kind, status in BROKEN:
        response = await ann.call("POST", "/photos", data=body, headers={"Content-Type": kind})
        assert response.status == status, (body[:100], response.body)
        assert response.headers["Content-Type"].startswith("application/problem+json")


async def test_a_compressed_body_is_not_unpacked(api: Api) -> None:
    """A deflate bomb in the body is a 415."""
    ann = await api.user()
    bomb = zlib.compress(bytes(10_000_000))
    headers = {"Content-Type": "application/json", "Content-Encoding": "deflate"}
    response = await ann.call("POST", "/notifications/seen", data=bomb, headers=headers)
    assert response.expect(415)["code"] == "unsupported_encoding"
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Encoding": "gzip"}
    response = await ann.call("POST", "/photos", data=bomb, headers=headers)
    assert response.expect(415)["code"] == "unsupported_encoding"


async def test_a_json_body_is_bounded_with_and_without_a_length(api: Api) -> None:
    """A JSON body of more than 64 KiB is a 413, also when it is chunked and never ends."""
    ann = await api.user()
    text, headers = b'{"bio": "' + b"x" * 65_536 + b'"}', {"Content-Type": "application/json"}

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 10_000

    async def once() -> object:
        yield text

    for body in (text, once()):
        response = await ann.call("PATCH", "/users/me", data=body, headers=headers)
        assert response.expect(413)["code"] == "body_too_large"
    try:
        response = await ann.call("PATCH", "/users/me", data=endless(), headers=headers)
    except aiohttp.ClientError:
        return  # closed while it was still sending
    response.expect(413)


async def test_a_slow_body_ends_at_a_deadline_and_others_are_served(services: InspectableServices) -> None:
    """A client that stops sending gets a 408 and is disconnected, while others upload as usual."""
    async with running_api(with_pace(services, idle_timeout=0.4)) as api:
        ann = await api.user()
        stuck = post_photo(ann.token, part("file", encoded(halves()))[:50], declared=5000)
        slow = asyncio.create_task(exchange(api.port, stuck, within=DEADLINE))
        (await ann.try_upload(photograph())).expect(201)
        response = await slow
    assert response.status == 408
    assert "onnection: close" in response.text
