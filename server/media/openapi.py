"""The OpenAPI paths of the images, which are outside the API's route table because they have URLs of their own."""

from __future__ import annotations

from typing import Any

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS = {
    404: "There is no such image, or the client may not see it.",
    412: "The image is not the one that If-Match or If-Unmodified-Since names.",
    416: "The range begins behind the end of the image.",
    503: "A part of the service is not available; see Retry-After.",
}
_SHA256 = {"name": "sha256", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}


def image_paths() -> dict[str, Any]:
    """Return the paths of the variants and the originals; the URLs are those in `urls` of a photo."""
    variant = _operation(
        "get_media_variant",
        "Get an image of a photo; conditional requests and one range of bytes are served",
        [_SHA256, _choice("variant", "thumb", "feed"), _signature("exp"), _signature("sig")],
        media_type="image/jpeg",
    )
    original = _operation(
        "get_media_original",
        "Download the original of your own photo",
        [_SHA256, _choice("extension", "jpg", "png")],
        media_type="application/octet-stream",
    )
    original["responses"]["401"] = _error("The client is not signed in, or the session has ended.")
    original["security"] = [{"bearer": []}, {"cookie": []}]
    return {
        "/media/{sha256}/{variant}.jpg": {"get": variant},
        "/media/{sha256}/original.{extension}": {"get": original},
    }


def _operation(name: str, summary: str, parameters: list[dict[str, Any]], *, media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "contentMediaType": media_type}}}
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["images"],
        "parameters": parameters,
        "responses": {
            "200": {"description": "The image.", "content": content},
            "206": {"description": "The range of the image.", "content": content},
            "304": {"description": "The image has not changed."},
            **{str(status): _error(text) for status, text in _ERRORS.items()},
        },
    }


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": _PROBLEM}


def _choice(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": list(values)}}


def _signature(name: str) -> dict[str, Any]:
    text = "Part of the signed URL of an image that is not public."
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
