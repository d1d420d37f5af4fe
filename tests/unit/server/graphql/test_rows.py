"""Objects made by the generated function of a selection: what it makes, and what it leaves to the general way."""

from __future__ import annotations

import math
from typing import Any

import pytest

from server.composition.graphql import make_schema
from server.graphql.columns import ObjectColumn
from server.graphql.executor import Executor
from server.graphql.fields import Each, Prefixed
from server.graphql.resolution.rules import permitted
from server.graphql.rows import LeafForm, ListForm, ObjectForm, PrefixedKey, RowField, row_function

TEXT = "type({value}) is not str"
AUTHOR = (RowField("name", "username", LeafForm(TEXT)), RowField("__typename", "User", None))
FIELDS = (
    RowField("id", PrefixedKey("P-", "id"), LeafForm(TEXT)),
    RowField("caption", "text", LeafForm(TEXT)),
    RowField("place", "place", LeafForm(TEXT, nullable=True)),
    RowField("photo", PrefixedKey("P-", "photo_id"), LeafForm(TEXT, nullable=True)),
    RowField("ratio", "ratio", LeafForm("type({value}) is not float or not isfinite({value})")),
    RowField("mood", "mood", LeafForm("", names=(("calm", "CALM"),))),
    RowField("tags", "tags", ListForm(frozenset({str}), nullable=False)),
    RowField("size", lambda source: source["bytes"] // 1000, LeafForm("type({value}) is not int")),
    RowField("author", "author", ObjectForm(AUTHOR, nullable=False, is_list=False)),
    RowField("editor", "editor", ObjectForm(AUTHOR, nullable=True, is_list=False)),
    RowField("likers", "likers", ObjectForm(AUTHOR, nullable=False, is_list=True)),
    RowField("later", None, None),
)
FEED = """{ viewer { feed { nodes { id audience tags urls { thumb original } author { id username } }
  edges { cursor node { id } } pageInfo { hasNextPage endCursor } stream { epoch offset } } } }"""


def source(**changed: Any) -> dict[str, Any]:
    """Return an object that the fields are read from."""
    return {
        "id": "03AM",
        "text": "Sea",
        "ratio": 1.5,
        "mood": "calm",
        "tags": ["a", "b"],
        "bytes": 7000,
        "author": {"username": "ann"},
        "likers": [{"username": "ben"}, {"username": "cat"}],
        **changed,
    }


def made(*sources: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of sources that need no more care."""
    rows = row_function(FIELDS)(sources)
    assert rows is not None
    return rows


def test_a_row() -> None:
    """A row has every field in its order; what is missing is null, and constants are there."""
    (row,) = made(source())
    assert row == {
        "id": "P-03AM",
        "caption": "Sea",
        "place": None,
        "photo": None,
        "ratio": 1.5,
        "mood": "CALM",
        "tags": ["a", "b"],
        "size": 7,
        "author": {"name": "ann", "__typename": "User"},
        "editor": None,
        "likers": [{"name": "ben", "__typename": "User"}, {"name": "cat", "__typename": "User"}],
        "later": None,
    }
    assert list(row) == [field.name for field in FIELDS]


def test_fields_that_may_be_null() -> None:
    """They are checked and made like others where they are not."""
    (row,) = made(source(place="Oslo", photo_id="03AN", editor={"username": "dan"}))
    assert (row["place"], row["photo"], row["editor"]) == ("Oslo", "P-03AN", {"name": "dan", "__typename": "User"})


@pytest.mark.parametrize(
    "changed",
    [
        {"id": 7},
        {"text": None},
        {"text": NotImplementedError("an error of the field")},
        {"place": 7},
        {"photo_id": 7},
        {"ratio": math.nan},
        {"mood": "wild"},
        {"mood": ["calm"]},
        {"tags": ("a",)},
        {"tags": ["a", None]},
        {"bytes": None},
        {"author": None},
        {"author": object()},
        {"author": {}},
        {"editor": {"username": None}},
        {"likers": None},
        {"likers": [{"username": "ben"}, None]},
    ],
)
def test_what_needs_more_care(changed: dict[str, Any]) -> None:
    """One wrong value leaves all objects to the way that finds the error and its place."""
    assert row_function(FIELDS)([source(), source(**changed)]) is None


def test_objects_that_are_no_dicts() -> None:
    """They are read by their attributes, elsewhere."""
    assert row_function(FIELDS)([object()]) is None


def test_a_page_is_one_row() -> None:
    """A page of photos with their authors, images and cursors is made by one function."""
    (viewer,) = Executor(make_schema()).prepare(FEED).plan.root.fetches
    assert isinstance(viewer.column, ObjectColumn)
    (feed,) = viewer.column.selection.fetches
    assert feed.column.form is not None


def test_permissions_are_not_passed_by() -> None:
    """A field with the rules of an endpoint is resolved with them, even if it needs no more than its parent."""
    for value in (Each(lambda photo: photo["secret"]), Prefixed("P-", "id")):
        assert not isinstance(permitted("GET /photos/{id}", value), Each)
