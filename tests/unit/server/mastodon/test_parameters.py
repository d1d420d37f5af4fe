"""Parameters in the names of Rails."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from server.edge.problem import ProblemError
from server.mastodon.parameters import MAX, nested
from server.mastodon.request import texts_of


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "2"}),
        ("media_ids[]=1&media_ids[]=2", {"media_ids": ["1", "2"]}),
        ("data[alerts][mention]=true", {"data": {"alerts": {"mention": "true"}}}),
        (
            "media_attributes[][id]=1&media_attributes[][description]=x&media_attributes[][id]=2",
            {"media_attributes": [{"id": "1", "description": "x"}, {"id": "2"}]},
        ),
        ("a[0][name]=x", {"a": {"0": {"name": "x"}}}),
        ("a[=1&]b=2&[c]=3", {"a[": "1", "]b": "2", "[c]": "3"}),
        ("a[b][c][d][e][f]=1", {"a[b][c][d][e][f]": "1"}),
        ("a=1&a[]=2&a[b]=3", {"a": {"b": "3"}}),
    ],
)
def test_names_make_lists_and_objects(query: str, expected: dict[str, Any]) -> None:
    """What is no such name is a name as it is, and nothing nests without a limit."""
    assert nested(parse_qsl(query)) == expected


def test_too_many_parameters_are_refused() -> None:
    """A request cannot make this process build a million objects."""
    with pytest.raises(ProblemError, match="at most"):
        nested((f"a{number}", "") for number in range(MAX + 1))


def test_a_multipart_form_has_texts() -> None:
    """Also with brackets in their names, as `requests` sends them with files."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a[]"\r\n\r\none\r\n'
        b'--x\r\nContent-Disposition: form-data; name="a[]"\r\n\r\ntwo\r\n--x--\r\n'
    )
    assert texts_of("multipart/form-data; boundary=x", body) == {"a": ["one", "two"]}
    with pytest.raises(ProblemError):
        texts_of("multipart/form-data; boundary=x", b"--y\r\n\r\n")
