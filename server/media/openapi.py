"""The OpenAPI paths of the images, which are outside the API's route table because they have URLs of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.blobs.content_types import EXTENSIONS
from storage.blobs.variants import CONTENT_TYPES, MOTION, REVIEW, VIDEO, VariantRegistry

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS = {
    404: "There is no such image, or the client may not see it.",
    412: "The image is not the one that If-Match or If-Unmodified-Since names.",
    416: "The range begins behind the end of the image.",
    503: "A part of the service is not available; see Retry-After.",
}
_RECIPE = {"name": "recipe", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
_SHA256 = {"name": "sha256", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}


def image_paths(variants: VariantRegistry) -> dict[str, Any]:
    """Return the paths of the variants and the originals; the URLs are those in `images` and `urls` of a photo."""
    sides = sorted({*variants.squares, *variants.sizes})
    signature = [_signature("exp"), _signature("sig")]
    sizes = [*map(str, sides), MOTION.size, VIDEO.size]
    variant = _operation(
        "get_media_variant",
        "Get an image of a photo, or a video; conditional requests and one range of bytes are served",
        [_RECIPE, _SHA256, _choice("size", *sizes), _choice("format", *variants.formats, VIDEO.format), *signature],
        media_types=[*(CONTENT_TYPES[name] for name in variants.formats), VIDEO.content_type],
    )
    review = _operation(
        "get_media_variant_for_review",
        "Get an image of a photo that is hidden or held, as its author, or to decide about it",
        [_RECIPE, _SHA256, _choice("size", *sizes), _choice("format", *variants.formats, VIDEO.format), *signature],
        media_types=[*(CONTENT_TYPES[name] for name in variants.formats), VIDEO.content_type],
    )
    former = _operation(
        "get_former_media_variant",
        "Get an image of a photo under the URL that it had in earlier versions",
        [_SHA256, _choice("variant", "thumb", "feed"), *signature],
        media_types=["image/jpeg"],
    )
    former["deprecated"] = True
    original = _operation(
        "get_media_original",
        "Download the original of your own photo",
        [_SHA256, _choice("extension", *EXTENSIONS.values())],
        media_types=["application/octet-stream"],
    )
    original["responses"]["401"] = _error("The client is not signed in, or the session has ended.")
    original["security"] = [{"bearer": []}, {"cookie": []}]
    return {
        "/media/r{recipe}/{sha256}/{size}.{format}": {"get": variant},
        f"{REVIEW}/r{{recipe}}/{{sha256}}/{{size}}.{{format}}": {"get": review},
        "/media/{sha256}/{variant}.jpg": {"get": former},
        "/media/{sha256}/original.{extension}": {"get": original},
    }


def _operation(
    name: str, summary: str, parameters: list[dict[str, Any]], *, media_types: Sequence[str]
) -> dict[str, Any]:
    content = {name: {"schema": {"type": "string", "contentMediaType": name}} for name in media_types}
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
