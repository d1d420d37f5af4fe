"""The JSON of a collection, in which photos are JSON already."""

from __future__ import annotations

import orjson

from storage.ids import encode
from storage.models import Collection
from storage.render.timestamps import timestamp
from storage.render.user_summary import user_summary_fields


def collection_json(collection: Collection, *, cover: bytes | None = None, contains: bool | None = None) -> bytes:
    """Return the JSON of a collection; `cover` is the JSON of a photo."""
    return orjson.dumps(
        {
            "id": encode(collection.id),
            "owner": user_summary_fields(collection.owner),
            "title": collection.title,
            "public": collection.public,
            "created_at": timestamp(collection.created_at),
            "cover": None if cover is None else orjson.Fragment(cover),
            "contains": contains,
        }
    )
