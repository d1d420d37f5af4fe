"""The form parser: any division of the bytes gives the same parts, and every limit is enforced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.multipart import FormEnd, FormParser, MultipartError, PartBegin, PartData, PartEnd

KIND = "multipart/form-data; boundary=b"


def form(*parts: tuple[str, bytes]) -> bytes:
    """Return a form with these parts."""
    body = b"".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in parts
    )
    return body + b"--b--\r\n"


def parts_of(pieces: list[bytes], kind: str = KIND, *, max_parts: int = 32) -> list[tuple[str, bytes]]:
    """Return the parts of a body that is fed in pieces; the form must end."""
    parser = FormParser(kind, max_parts=max_parts)
    found: list[tuple[str, bytes]] = []
    open_part: tuple[str, bytes] | None = None
    for piece in pieces:
        for event in parser.feed(piece):
            match event:
                case PartBegin(name):
                    open_part = (name, b"")
                case PartData(data):
                    assert open_part is not None
                    assert data
                    open_part = (open_part[0], open_part[1] + data)
                case PartEnd():
                    assert open_part is not None
                    found.append(open_part)
                    open_part = None
                case FormEnd():
                    assert open_part is None
    assert parser.ended
    return found


@given(
    st.lists(st.tuples(st.sampled_from(["file", "caption", "é"]), st.binary(max_size=40)), max_size=4),
    st.lists(st.integers(1, 9), min_size=1, max_size=20),
)
def test_the_division_of_the_bytes_does_not_matter(parts: list[tuple[str, bytes]], sizes: list[int]) -> None:
    """A body has the same parts in whatever pieces it arrives."""
    parts = [(name, data.replace(b"--b", b"..b")) for name, data in parts]
    body, pieces, turn = form(*parts), [], 0
    while body:
        size = sizes[turn % len(sizes)]
        pieces.append(body[:size])
        body, turn = body[size:], turn + 1
    assert parts_of(pieces) == parts


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"--", b"\r\n--", b"\r\n--a", b"x--b", b"\r\n\r\n", b"x\r\n--", b"\r", bytes(range(256))]
)
def test_data_that_looks_like_a_boundary_is_data(data: bytes) -> None:
    """Only a line break, two hyphens and the boundary end a part."""
    assert parts_of([form(("file", data), ("more", b"x"))]) == [("file", data), ("more", b"x")]


def test_preamble_and_epilogue_are_ignored() -> None:
    """Bytes before the first and after the final boundary are ignored."""
    assert parts_of([b"preamble\r\n" + form(("a", b"1")) + b"epilogue"]) == [("a", b"1")]


def test_a_form_may_be_empty() -> None:
    """The final boundary alone is a form without parts."""
    assert parts_of([b"--b--"]) == []


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ('multipart/form-data; boundary="a b"', b"a b"),
        ("multipart/form-data; charset=utf-8; boundary=x", b"x"),
        ("Multipart/Form-Data;BOUNDARY=x;y=z", b"x"),
        ('multipart/form-data; note="a; boundary=y"; boundary=x', b"x"),
    ],
)
def test_the_boundary_is_found_in_the_content_type(kind: str, boundary: bytes) -> None:
    """The boundary may be quoted or not, in any case and place."""
    body = form(("a", b"1")).replace(b"--b", b"--" + boundary)
    assert parts_of([body], kind) == [("a", b"1")]


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "multipart/form-data",
        "multipart/mixed; boundary=b",
        "text/plain; boundary=b",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
        'multipart/form-data; note="boundary=b"',
    ],
)
def test_without_a_boundary_there_is_no_form(kind: str) -> None:
    """Any other content type is rejected."""
    with pytest.raises(MultipartError):
        FormParser(kind)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'form-data; name="caption"; filename="name=x"', "caption"),
        (b'form-data; filename="x"; name="file"', "file"),
        (b"form-data; name=file", "file"),
        (b'form-data; filename="a; name=x.jpg"; name="file"', "file"),
        (b'form-data; filename="a name=x.jpg"; name="file"', "file"),
        (b'form-data; filename="a\\"; name=\\"x"; name="file"', "file"),
        (b'form-data; filename="a"b"; name="file"', "file"),
        (b'form-data;filename=a.jpg;NAME = "file"', "file"),
        (b'form-data; x-name="y"; name="file"; name="z"', "file"),
        (b'form-data; name="a\\"b"', 'a"b'),
        ('form-data; name="é"'.encode(), "é"),
        (b'form-data; name=""', ""),
    ],
)
def test_the_name_of_a_part(header: bytes, name: str) -> None:
    """The name is read and the file name is not."""
    body = b"--b\r\ncontent-disposition: " + header + b"\r\nX: y\r\n\r\nd\r\n--b--"
    assert parts_of([body]) == [(name, b"d")]


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 9000,
        b"--bx",
        b"--b" + b"x" * 200,
        b"--b\r\n\r\n\r\ndata\r\n--b--",
        b"--b\r\nContent-Disposition: attachment; name=x\r\n\r\nd\r\n--b--",
        b"--b\r\nContent-Disposition: form-data; filename=x\r\n\r\nd\r\n--b--",
        b"--b\r\nX: " + b"y" * 9000,
    ],
)
def test_a_malformed_form_is_rejected(body: bytes) -> None:
    """A form without boundary or name, or with an endless header, is rejected."""
    with pytest.raises(MultipartError):
        parts_of([body, b"\r\n"])


def test_the_number_of_parts_is_bounded() -> None:
    """One part more than allowed is rejected as too large."""
    assert len(parts_of([form(*[("a", b"1")] * 3)], max_parts=3)) == 3
    with pytest.raises(MultipartError) as caught:
        parts_of([form(*[("a", b"1")] * 4)], max_parts=3)
    assert caught.value.too_large
