"""The examples of `docs/graphql.md` run as they are written."""

from __future__ import annotations

import re

import pytest
from graphql import OperationDefinitionNode, parse

from tests.support.api import Api
from tests.support.documents import ROOT
from tests.support.graphql_requests import query
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

_EXAMPLE = re.compile(r"```graphql\n((?:query|mutation) .*?)```", re.DOTALL)


async def test_the_examples(api: Api) -> None:
    """Each example is executed without an error, and refuses nothing."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo = await ann.upload(photograph(), "at the #sea")
    await api.finish(photo)
    values = {
        "photo": f"P-{photo['id']}",
        "user": f"U-{ann.id}",
        "name": "ann",
        "text": "sea",
        "first": 5,
        "after": None,
        "key": "a-key",
    }
    examples = _EXAMPLE.findall((ROOT / "docs" / "graphql.md").read_text())
    assert len(examples) >= 5
    for example in examples:
        (operation,) = parse(example).definitions
        assert isinstance(operation, OperationDefinitionNode)
        names = [variable.variable.name.value for variable in operation.variable_definitions or ()]
        data = await query(bob, example, **{name: values[name] for name in names})
        assert all(value is not None for value in data.values()), example
        assert [payload["errors"] for payload in data.values() if "errors" in payload] in ([], [[]])


async def test_the_schema_as_a_text(api: Api) -> None:
    """The service returns the text of the documentation."""
    response = await api.get("/graphql/schema.graphql")
    assert response.status == 200
    assert response.body == (ROOT / "docs" / "schema.graphql").read_bytes()
