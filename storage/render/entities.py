"""The JSON of the mentions and tags in a text, from which clients make links."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from storage.entities import tags_in
from storage.ids import encode
from storage.models import Mention


def entities_fields(text: str, mentions: Iterable[Mention]) -> list[dict[str, Any]]:
    """Return the mentions and tags of a text in order, ready for JSON.

    Tags are found in the text; the accounts of mentions were found when it was written.
    """
    if "#" not in text and not mentions:
        return []
    found = [
        {"type": "mention", "offset": each.offset, "length": each.length, "user_id": encode(each.user_id)}
        for each in mentions
    ]
    found += [{"type": "tag", "offset": each.offset, "length": each.length, "tag": each.name} for each in tags_in(text)]
    return sorted(found, key=lambda entity: entity["offset"])
