"""The section `[media]`: the variants of images, their scan, and the signatures of private images' URLs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from server.config.section import Numbers, Secrets, Section, Texts
from storage.blobs.variants import CONTENT_TYPES, FEED, THUMB, VariantRegistry
from workers.outbound.errors import UrlRefusedError
from workers.outbound.policy import TRUSTED
from workers.outbound.urls import check_url
from workers.scanning.port import TIMEOUT

_VARIANTS = VariantRegistry()
_MAX_SIDE = 8192  # pixels; larger variants would cost more than originals


class MediaSection(Section):
    """Variants of images, and the signed URLs of private images."""

    recipe: int = Field(
        default=_VARIANTS.recipe,
        ge=1,
        le=9999,
        description="Number in the URLs of variants. Raise it by one after a change to how they are made; URLs with a "
        "lower number then give the new variants.",
    )
    squares: Numbers = Field(
        default=_VARIANTS.squares, description="Sides in pixels of the variants that are cropped to a square."
    )
    sizes: Numbers = Field(
        default=_VARIANTS.sizes,
        description="Longest sides in pixels of the other variants. Images are never enlarged, and half, a quarter or "
        "an eighth of the original is taken if it is at most 2.5 % smaller.",
    )
    formats: Texts = Field(
        default=_VARIANTS.formats, description="Formats in which each size exists: `jpg`, `webp` and `avif`."
    )
    eager: Texts = Field(
        default=_VARIANTS.eager,
        validate_default=True,
        description=f"Variants that are made when a photo is processed, `{THUMB}` and `{FEED}` at least. The others "
        "are made when they are requested for the first time.",
    )
    unused_days: int = Field(
        default=30, ge=1, description="Days without a request after which a variant that is not eager is deleted."
    )
    url_ttl: int = Field(
        default=3600, ge=60, description="Seconds for which the URL of a private image is valid at least."
    )
    signature: Literal["picshare", "nginx"] = Field(
        default="picshare",
        description="Form of the signature in the URLs of private images. `nginx` can be verified by nginx's "
        "`secure_link`, so that a cache in front of PicShare can serve these images; see docs/proxy.md.",
    )
    previous_secrets: Secrets = Field(
        default=(),
        description="Former values of `auth.secret`. URLs of private images that were signed with them stay valid "
        "until they expire.",
    )

    scan: str | None = Field(
        default=None,
        description="URL of a service that scans each original before it is published, as `http://10.0.0.9/scan`. It "
        "gets the bytes in a POST, and answers with 200 (pass) or 451 (match); see docs/abuse-detection.md. Images "
        "wait for its answer.",
    )
    scan_timeout: float = Field(
        default=TIMEOUT,
        gt=0,
        le=120,
        description="Seconds after which a scan without a complete response has failed, and is repeated later.",
    )

    @field_validator("scan")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                check_url(value, TRUSTED)
            except UrlRefusedError as error:
                raise ValueError(str(error).removesuffix(".")) from error
        return value

    @field_validator("squares", "sizes")
    @classmethod
    def _are_distinct_sides(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if not all(1 <= side <= _MAX_SIDE for side in value):
            raise ValueError(f"it should have numbers from 1 to {_MAX_SIDE}")
        if len({*value, *info.data.get("squares", ())}) < len(value) + len(info.data.get("squares", ())):
            raise ValueError("it should have every number once, and none of media.squares")
        return value

    @field_validator("formats")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if set(value) - CONTENT_TYPES.keys() or "jpg" not in value or len(set(value)) < len(value):
            raise ValueError(f"it should have jpg and any other of {', '.join(CONTENT_TYPES)}")
        return value

    @field_validator("eager")
    @classmethod
    def _exist(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        sides = [*info.data.get("squares", ()), *info.data.get("sizes", ())]
        known = {f"{side}.{format_}" for side in sides for format_ in info.data.get("formats", ())}
        if unknown := sorted(set(value) - known):
            raise ValueError(f"it should name variants of media.sizes and media.formats, not {', '.join(unknown)}")
        # The `urls` of every photo lead to these.
        if not {THUMB, FEED} <= set(value):
            raise ValueError(f"it should have {THUMB} and {FEED}")
        return value
